// Everything that can happen to the state. An event says what happened, in full: reducing needs no clock, no chance and no
// network. Those marked `isShared` are told to the other tabs, which reduce them too.

import type {
  CallerOut,
  EditedOut,
  FrameOut,
  HistoryOut,
  JobOut,
  LoggedEventOut,
  RecordOut,
  SavedOut,
} from "../api/types";
import type { Problem } from "../api/problem";
import type { Patch } from "../masks/patch";
import type { Entry } from "../sync/entry";
import type { Outbox } from "../sync/outbox";
import type { Change } from "../sync/storage";
import type { Candidate, Draft } from "../tools/draft";
import type { Tool } from "../tools/tool";
import type { Hand } from "./hand";
import type { PeopleEvent } from "./people";
import type { Filter, Link, Look, Notice, Present, Sort, State, Time, Undo } from "./values";

/** Something is done, taken back, done again, or put in order after a choice; `of` is the group that it is about. */
export type EntryKind =
  | { readonly name: "do" | "tidy" }
  | { readonly name: "undo" | "redo"; readonly of: string };

export type OutboxEvent =
  | { readonly type: "entries-added"; readonly entries: readonly Entry[]; readonly kind: EntryKind }
  /** The sending tab's word: what happened there, and what it made of the outbox. */
  | { readonly type: "outbox-synced"; readonly event: OutboxEvent | null; readonly changes: readonly Change[] }
  | { readonly type: "outbox-restored"; readonly outbox: Outbox; readonly undo: Undo }
  | { readonly type: "entry-tried"; readonly key: string }
  | { readonly type: "entry-saved"; readonly key: string; readonly answer: SavedOut }
  | { readonly type: "entry-edited"; readonly key: string; readonly answer: EditedOut }
  | { readonly type: "entry-refused"; readonly key: string; readonly problem: Problem }
  | {
      readonly type: "entry-conflicted";
      readonly key: string;
      readonly theirs: { readonly [recordId: string]: RecordOut };
    }
  | { readonly type: "held-settled"; readonly key: string; readonly choice: "keep" | "let_go" };

export type ServerEvent =
  | { readonly type: "caller-told"; readonly caller: CallerOut; readonly models: readonly string[] }
  | { readonly type: "frames-told"; readonly items: readonly FrameOut[]; readonly nextCursor: string | null; readonly isFirst: boolean }
  | { readonly type: "labels-told"; readonly labels: readonly string[] }
  | { readonly type: "frame-opened"; readonly frame: FrameOut }
  /** `covers` are the ids of events of others that were known to be missing when the question was asked. */
  | { readonly type: "records-told"; readonly frame: string; readonly items: readonly RecordOut[]; readonly covers: readonly string[] }
  | { readonly type: "record-told"; readonly record: RecordOut; readonly covers: readonly string[] }
  | { readonly type: "history-told"; readonly history: HistoryOut }
  | { readonly type: "log-followed"; readonly logged: LoggedEventOut }
  | { readonly type: "link-changed"; readonly link: Partial<Link> }
  | { readonly type: "job-told"; readonly job: JobOut }
  | { readonly type: "presence-told"; readonly presence: readonly Present[] }
  | { readonly type: "patches-made"; readonly items: readonly { readonly id: string; readonly counts: string; readonly patch: Patch }[] };

export type HandEvent =
  | { readonly type: "hand-taken"; readonly hand: Hand }
  /** A tool made another draft of it. */
  | { readonly type: "hand-drawn"; readonly draft: Draft }
  | { readonly type: "hand-labelled"; readonly label: string | null }
  | { readonly type: "hand-parented"; readonly parent: string | null }
  | {
      readonly type: "hand-answered";
      readonly hand: string;
      readonly question: number;
      readonly candidates: readonly Candidate[];
    }
  | { readonly type: "hand-failed"; readonly hand: string; readonly question: number; readonly message: string }
  | { readonly type: "hand-previewed"; readonly candidate: Candidate | null }
  | { readonly type: "hand-undone" }
  | { readonly type: "hand-redone" }
  | { readonly type: "hand-dropped" };

export type UserEvent =
  | PeopleEvent
  | { readonly type: "selected"; readonly ids: readonly string[]; readonly how: "only" | "add" | "toggle" }
  | { readonly type: "skipped"; readonly ids: readonly string[] }
  | { readonly type: "collapsed"; readonly ids: readonly string[]; readonly isCollapsed: boolean }
  | { readonly type: "tool-chosen"; readonly tool: Tool }
  | { readonly type: "pointing-set"; readonly isPointing: boolean }
  | { readonly type: "brush-sized"; readonly radius: number }
  | { readonly type: "filter-changed"; readonly filter: Partial<Filter> }
  | { readonly type: "sort-chosen"; readonly sort: Sort }
  | { readonly type: "look-changed"; readonly look: Partial<Look> }
  | { readonly type: "key-held"; readonly held: Partial<State["held"]> }
  | { readonly type: "time-changed"; readonly time: Partial<Time> }
  | { readonly type: "recent-labels-told"; readonly labels: readonly string[] }
  | { readonly type: "noticed"; readonly notice: Notice }
  | { readonly type: "notice-closed"; readonly id: string };

export type StateEvent = OutboxEvent | ServerEvent | HandEvent | UserEvent;

const SHARED: ReadonlySet<StateEvent["type"]> = new Set([
  "entries-added",
  "entry-tried",
  "entry-saved",
  "entry-edited",
  "entry-refused",
  "entry-conflicted",
  "held-settled",
]);

/** Whether an event is about the outbox, which all tabs share. */
export const isShared = (event: StateEvent): event is OutboxEvent => SHARED.has(event.type);
