// What the review app knows, as one value. Components read it through selectors; only `reduce` makes the next one.

import type { CallerOut, FrameOut, JobOut, MaskRecord, RecordOut, ReviewEvent } from "../api/types";
import type { Problem } from "../api/problem";
import type { ColourBy } from "../draw/colours";
import type { Patch } from "../masks/patch";
import { EMPTY_OUTBOX, type Outbox } from "../sync/outbox";
import type { Tool } from "../tools/tool";
import type { Hand } from "./hand";
import { BEGIN_PEOPLE, type People } from "./people";
import type { Status } from "./resolve";

/** A mask of the frame. `view` is what people see: what the server told, and on top of it what waits to be sent. */
export type Mask = {
  readonly base: RecordOut;
  /** Events that the server has added since `base`. */
  readonly since: readonly ReviewEvent[];
  /** The newest etag that is known of it. */
  readonly etag: string;
  readonly view: RecordOut;
  readonly isPending: boolean;
  /** It waits to be saved: the server does not know it yet. */
  readonly isUnsaved: boolean;
  /** Events of others that are not in it yet: it has to be read again. */
  readonly behind: readonly string[];
};

export type Filter = {
  readonly statuses: readonly Status[];
  readonly labels: readonly (string | null)[];
  readonly methods: readonly MaskRecord["provenance"]["method"][];
  readonly actors: readonly string[];
  readonly tracks: readonly (string | null)[];
  readonly minScore: number | null;
  readonly maxScore: number | null;
  readonly minArea: number | null;
  readonly maxArea: number | null;
  readonly text: string;
  readonly hasComments: boolean;
};
export type Sort = "put" | "uncertain" | "score" | "area" | "label" | "track" | "place";
export type Look = {
  readonly opacity: number;
  readonly colourBy: ColourBy;
  readonly isFilled: boolean;
  readonly isOutlined: boolean;
  readonly areMasksHidden: boolean;
  readonly theme: "system" | "dark" | "light";
  readonly panel: "masks" | "history" | "tracks" | "queues";
  readonly isHelpOpen: boolean;
  readonly isTimelineOpen: boolean;
  readonly areCamerasShown: boolean;
};

export type Time = { readonly isPlaying: boolean; readonly framesPerSecond: number; readonly stride: number };

export type FrameList = {
  readonly items: readonly FrameOut[];
  readonly nextCursor: string | null;
};

/** How the line to the server stands; what waits is in the outbox. */
export type Link = {
  readonly state: "online" | "offline" | "signed_out";
  readonly problem: Problem | null;
  /** When it is tried again, in ms since 1970. */
  readonly retryAt: number | null;
  /** Whether the browser keeps what waits when the page is closed. */
  readonly isDurable: boolean;
  readonly isFollowing: boolean;
};

export type EventRef = { readonly recordId: string; readonly eventId: string };

/** Something that was done, as it can be undone: the events to revert, and the records that it made. */
export type Done = {
  readonly group: string;
  readonly name: string;
  readonly frame: string | null;
  readonly events: readonly EventRef[];
  readonly saved: readonly string[];
  readonly isAtomic: boolean;
};
export type Undo = { readonly past: readonly Done[]; readonly future: readonly Done[] };

/** Somebody else on the open frame, with the record in hand. */
export type Present = { readonly name: string; readonly record: string | null };
export type Notice = {
  readonly id: string;
  readonly kind: "problem" | "note";
  readonly text: string;
};

export type State = {
  readonly caller: CallerOut | null;
  readonly models: readonly string[];
  readonly frames: FrameList;
  readonly frame: FrameOut | null;
  readonly isFrameLoaded: boolean;
  readonly masks: ReadonlyMap<string, Mask>;
  /** Pixels by record, with the run lengths that they are of. */
  readonly patches: ReadonlyMap<string, { readonly counts: string; readonly patch: Patch }>;
  readonly selection: readonly string[];
  readonly skipped: ReadonlySet<string>;
  /** Masks whose parts are not in the list. */
  readonly collapsed: ReadonlySet<string>;
  readonly hand: Hand | null;
  readonly tool: Tool;
  /** Keys move the pointer over the picture. */
  readonly isPointing: boolean;
  readonly brushRadius: number;
  readonly filter: Filter;
  readonly sort: Sort;
  readonly labels: readonly string[];
  readonly recentLabels: readonly string[];
  readonly look: Look;
  readonly time: Time;
  readonly outbox: Outbox;
  readonly undo: Undo;
  readonly link: Link;
  readonly presence: readonly Present[];
  readonly notices: readonly Notice[];
  /** Long work that this page began or was told of, the newest first. */
  readonly jobs: readonly JobOut[];
  readonly people: People;
  /** What lasts while a key is held. */
  readonly held: { readonly isNegative: boolean; readonly areMasksHidden: boolean };
};

export const NO_FILTER: Filter = {
  statuses: ["proposed", "accepted"],
  labels: [],
  methods: [],
  actors: [],
  tracks: [],
  minScore: null,
  maxScore: null,
  minArea: null,
  maxArea: null,
  text: "",
  hasComments: false,
};

export const BEGIN: State = {
  caller: null,
  models: [],
  frames: { items: [], nextCursor: null },
  frame: null,
  isFrameLoaded: false,
  masks: new Map(),
  patches: new Map(),
  selection: [],
  skipped: new Set(),
  collapsed: new Set(),
  hand: null,
  tool: "click",
  isPointing: false,
  brushRadius: 12,
  filter: NO_FILTER,
  sort: "put",
  labels: [],
  recentLabels: [],
  look: {
    opacity: 0.5,
    colourBy: "label",
    isFilled: true,
    isOutlined: true,
    areMasksHidden: false,
    theme: "system",
    panel: "masks",
    isHelpOpen: false,
    isTimelineOpen: false,
    areCamerasShown: false,
  },
  time: { isPlaying: false, framesPerSecond: 10, stride: 10 },
  outbox: EMPTY_OUTBOX,
  undo: { past: [], future: [] },
  link: { state: "online", problem: null, retryAt: null, isDurable: true, isFollowing: false },
  presence: [],
  notices: [],
  jobs: [],
  people: BEGIN_PEOPLE,
  held: { isNegative: false, areMasksHidden: false },
};
