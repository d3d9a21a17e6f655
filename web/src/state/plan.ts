// What a person does, as entries for the outbox. Pure: keys, time and order come from a `Maker`.

import type { EventIn, FrameOut, MaskRecord, RecordIn, RecordOut, RLE } from "../api/types";
import { namedBy, seenOf, type Entry, type Seen } from "../sync/entry";
import type { Origin } from "./hand";
import { recordOf } from "./masks";
import { asPut } from "./resolve";
import type { State } from "./values";

export type Maker = {
  readonly newId: () => string;
  readonly at: () => string;
  /** Grows with every call, beyond every entry that is known. */
  readonly order: () => number;
  readonly actor: string;
};

export type NewRecord = RecordIn & { readonly id: string };

// The server takes no more at once.
const MOST_EVENTS = 1000;

export type How = {
  readonly isAtomic: boolean;
  readonly group?: string;
  /** Records that are not among the masks of the frame: of other frames, or about to be saved. */
  readonly others?: readonly RecordOut[];
  /** Where they are, if that is not the open frame. */
  readonly frame?: string;
  /** The etags of further ones, as far as this page knows. */
  readonly tags?: { readonly [recordId: string]: string };
};

/** The entries of some events. Atomic ones make sense only together; others may be taken one by one. */
export function planEdit(
  state: State,
  maker: Maker,
  name: string,
  events: readonly EventIn[],
  how: How,
): readonly Entry[] {
  const group = how.group ?? maker.newId();
  const others = new Map(how.others?.map((one) => [one.record.id, one]) ?? []);
  return chunks(events).map((part): Entry => {
    const known = namedBy(part).flatMap((id): (readonly [string, Seen, string])[] => {
      const mask = state.masks.get(id);
      if (mask !== undefined) return [[id, seenOf(mask.view), mask.etag]];
      const other = others.get(id);
      return other === undefined ? [] : [[id, seenOf(other), other.etag]];
    });
    const isKnown = new Set(known.map(([id]) => id));
    const tags = namedBy(part).flatMap((id) => {
      const tag = isKnown.has(id) ? undefined : (lastTag(state, id) ?? how.tags?.[id]);
      return tag === undefined ? [] : [[id, tag] as const];
    });
    const expects = Object.fromEntries([...tags, ...known.map(([id, , etag]) => [id, etag] as const)]);
    return {
      ...headOf(state, maker, name, group),
      ...(how.frame === undefined ? {} : { frame: how.frame }),
      request: { kind: "edit", events: part, expects },
      seen: Object.fromEntries(known.map(([id, seen]) => [id, seen])),
      isAtomic: how.isAtomic,
    };
  });
}

/** The etag that our own newest edit gave a record, or expects: as edits before it are saved, it is raised. */
function lastTag({ outbox }: State, id: string): string | undefined {
  const waiting = outbox.waiting.findLast(({ request }) => request.kind === "edit" && request.expects[id] !== undefined);
  if (waiting?.request.kind === "edit") return waiting.request.expects[id];
  const given = [...outbox.pasts.values()].filter((one) => one.etags[id] !== undefined);
  return given.toSorted((a, b) => a.order - b.order).at(-1)?.etags[id];
}

/** The entry that saves new records. */
export const planSave = (state: State, maker: Maker, name: string, records: readonly NewRecord[], group: string): Entry => ({
  ...headOf(state, maker, name, group),
  request: { kind: "save", records },
  seen: {},
  isAtomic: true,
});

/** One decision about each of many records. */
export const planEach = (state: State, maker: Maker, name: string, ids: readonly string[], action: EventIn["action"]): readonly Entry[] =>
  planEdit(state, maker, name, ids.map((id) => ({ record_id: id, action })), { isAtomic: false });

/** The first takes in the others, and their pixels. */
export function planMerge(state: State, maker: Maker, into: string, absorbed: readonly string[], union: RLE): readonly Entry[] {
  const events: readonly EventIn[] = [
    { record_id: into, action: { kind: "Merge", absorbed } },
    { record_id: into, action: { kind: "Edit", rle: union } },
  ];
  return planEdit(state, maker, "merge", events, { isAtomic: true });
}

/** A record is replaced by pieces of it. */
export function planSplit(state: State, maker: Maker, id: string, pieces: readonly RLE[]): readonly Entry[] {
  const whole = state.masks.get(id)?.view.record;
  if (whole === undefined || state.frame === null) return [];
  const group = maker.newId();
  const records = pieces.map((rle): NewRecord => ({ ...drawnRecord(state.frame, maker, rle, whole.label, [id]), track: whole.track }));
  const events: readonly EventIn[] = [{ record_id: id, action: { kind: "Split", into: records.map((one) => one.id) } }];
  return [
    planSave(state, maker, "split", records, group),
    ...planEdit(state, maker, "split", events, { isAtomic: true, group, others: records.map((one) => newRecord(one, maker)) }),
  ];
}

export type Commit = {
  readonly base: string | null;
  readonly rle: RLE;
  readonly origin: Origin;
  readonly label: string | null;
  readonly parent?: string | null;
  /** What was cut off it: masks of their own from now on. */
  readonly pieces?: readonly RLE[];
  /** Whether the mask is right as it is now, which who draws it usually means. */
  readonly isAccepted: boolean;
};

/**
 * What is in hand goes into the store. What a model drew is saved as it drew it, and what a hand did to it is an edit:
 * so the record's story stays true, and each step of it can be looked at.
 */
export function planCommit(state: State, maker: Maker, commit: Commit): readonly Entry[] {
  const { base, rle, origin, label, isAccepted, parent = null, pieces = [] } = commit;
  const group = maker.newId();
  const accept: readonly EventIn["action"][] = isAccepted ? [{ kind: "Accept" }] : [];
  if (base !== null) {
    const before = state.masks.get(base)?.view.record;
    if (before === undefined) return [];
    const edit: readonly EventIn["action"][] = before.rle.counts === rle.counts ? [] : [{ kind: "Edit", rle }];
    const relabel: readonly EventIn["action"][] = before.label === label ? [] : [{ kind: "Relabel", label }];
    const reparent: readonly EventIn["action"][] = before.parent === parent ? [] : [{ kind: "Reparent", parent }];
    const events = [...edit, ...relabel, ...reparent, ...accept].map((action) => ({ record_id: base, action }));
    const edits = events.length === 0 ? [] : planEdit(state, maker, "commit", events, { isAtomic: true, group });
    return [...edits, ...planPieces(state, maker, pieces, { label, group, of: base })];
  }
  if (state.frame === null) return [];
  const made = origin.kind === "drawn" ? drawnRecord(state.frame, maker, rle, label, []) : proposed(origin.record, state.frame, maker, label);
  const record: NewRecord = { ...made, parent };
  const edit: readonly EventIn["action"][] = record.rle.counts === rle.counts ? [] : [{ kind: "Edit", rle }];
  const events = [...edit, ...accept].map((action) => ({ record_id: record.id, action }));
  const save = planSave(state, maker, "commit", [record], group);
  const edits = planEdit(state, maker, "commit", events, { isAtomic: true, group, others: [newRecord(record, maker)] });
  return [save, ...edits, ...planPieces(state, maker, pieces, { label, group, of: record.id })];
}

type Whole = { readonly label: string | null; readonly group: string; readonly of: string };

function planPieces(state: State, maker: Maker, pieces: readonly RLE[], { label, group, of }: Whole): readonly Entry[] {
  if (pieces.length === 0) return [];
  return [planSave(state, maker, "commit", pieces.map((rle) => drawnRecord(state.frame, maker, rle, label, [of])), group)];
}

/** A record that is about to be saved, as the server will tell it. */
export const newRecord = (given: NewRecord, maker: Maker): RecordOut => asPut(recordOf(given, maker.actor, maker.at()));

/** A record that a hand drew. */
export function drawnRecord(
  frame: FrameOut | null,
  maker: Maker,
  rle: RLE,
  label: string | null,
  ancestors: readonly string[],
): NewRecord {
  return {
    ...placeOf(frame),
    id: maker.newId(),
    rle,
    label,
    provenance: { method: "human_drawn", created_at: maker.at(), derived_from: ancestors },
  };
}

// A candidate may have been made for a picture alone; the frame it is saved on is where it was shown.
function proposed(record: MaskRecord, frame: FrameOut, maker: Maker, label: string | null): NewRecord {
  const { kind, rle, provenance, scores, box_xyxy, area } = record;
  const signed = { ...provenance, actor: null };
  return { kind, rle, box_xyxy, area, scores, ...placeOf(frame), id: maker.newId(), label, provenance: signed };
}

function placeOf(frame: FrameOut | null): Pick<RecordIn, "frame" | "image_digest"> {
  const digest = frame?.image_digest ?? null;
  return { frame: frame?.ref ?? null, ...(digest === null ? {} : { image_digest: digest }) };
}

const headOf = (state: State, maker: Maker, name: string, group: string): Omit<Entry, "request" | "seen" | "isAtomic"> => ({
  key: maker.newId(),
  order: maker.order(),
  group,
  name,
  at: maker.at(),
  actor: maker.actor,
  frame: state.frame?.id ?? null,
});

function chunks(events: readonly EventIn[]): readonly (readonly EventIn[])[] {
  const found: (readonly EventIn[])[] = [];
  for (let first = 0; first < events.length; first += MOST_EVENTS) found.push(events.slice(first, first + MOST_EVENTS));
  return found;
}
