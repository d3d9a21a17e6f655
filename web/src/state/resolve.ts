// The fold of review events over a record, the same as Python's `maskwright.store.resolve` (shared golden vectors). Pure.
// `resolve` begins from a record as it was put; `goOn` begins from one that the server has folded already, which is exact
// but for a revert of an event that lies before it: then `isExact` is false, and the record has to be read again.

import type { Action, MaskRecord, RecordOut, ReviewEvent, RLE } from "../api/types";
import { measure } from "./measure";
import { tagOf } from "./tags";

export type Status = RecordOut["status"];
export type GoneOn = { readonly resolved: RecordOut; readonly isExact: boolean };

type Fold = {
  /** What people said, and what merges and splits did. */
  decision: Status;
  standing: Status | null;
  verifiedBy: string | null;
  verifiedAt: string | null;
  editedBy: string | null;
  rle: RLE | null;
  label: string | null;
  track: string | null;
  parent: string | null;
  comments: RecordOut["comments"];
};

/** A record that nobody has decided about. */
export const asPut = (record: MaskRecord): RecordOut => ({
  kind: "ResolvedRecord",
  record,
  status: "proposed",
  verified_by: null,
  verified_at: null,
  edited_by: null,
  num_events: 0,
  as_of: null,
  comments: [],
  etag: tagOf(0, null),
});

/** Fold the events that touch a record over it, oldest first; others are ignored. */
export function resolve(record: MaskRecord, events: readonly ReviewEvent[]): RecordOut {
  return goOn(asPut(record), events).resolved;
}

/** Fold events over a record that is resolved up to them. */
export function goOn(base: RecordOut, events: readonly ReviewEvent[]): GoneOn {
  const byId = new Map(events.map((event) => [event.id, event]));
  const undone = undoneOf(events);
  const state = begun(base);
  const recordId = base.record.id;
  let counted = base.as_of;
  let numEvents = base.num_events;
  let isExact = true;
  for (const event of events) {
    if (!touches(event, recordId, byId)) continue;
    numEvents += 1;
    const isCounted = !undone.has(event.id);
    if (event.action.kind === "Revert") isExact &&= byId.has(event.action.event_id) || !isCounted;
    else if (isCounted) counted = event.at;
    step(state, event, recordId, isCounted);
  }
  return { resolved: ended(base, state, numEvents, counted), isExact };
}

/** The records that an event touches, its own first. Of a revert only its own: it does not know its target. */
export function touchedBy(recordId: string, action: Action): readonly string[] {
  if (action.kind === "Merge") return [...new Set([recordId, ...action.absorbed])];
  if (action.kind === "Split") return [...new Set([recordId, ...action.into])];
  return [recordId];
}

function begun(base: RecordOut): Fold {
  const stands = base.status === "merged" || base.status === "split";
  return {
    // What was decided before a merge is not told; that it was accepted shows in who did.
    decision: stands ? (base.verified_by === null ? "proposed" : "accepted") : base.status,
    standing: stands ? base.status : null,
    verifiedBy: base.verified_by,
    verifiedAt: base.verified_at,
    editedBy: base.edited_by,
    rle: null,
    label: base.record.label,
    track: base.record.track,
    parent: base.record.parent,
    comments: base.comments,
  };
}

function ended(base: RecordOut, state: Fold, numEvents: number, asOf: string | null): RecordOut {
  const { rle, label, track, parent } = state;
  const measured = rle === null ? null : measure(rle);
  const pixels = rle && measured ? { rle, area: measured.area, box_xyxy: measured.box } : {};
  return {
    kind: "ResolvedRecord",
    record: { ...base.record, ...pixels, label, track, parent },
    status: state.standing ?? state.decision,
    verified_by: state.verifiedBy,
    verified_at: state.verifiedAt,
    edited_by: state.editedBy,
    num_events: numEvents,
    as_of: asOf,
    comments: state.comments,
    etag: tagOf(numEvents, asOf),
  };
}

/** Find the events that no longer count. A revert comes after its target, so the newest is settled first. */
function undoneOf(events: readonly ReviewEvent[]): ReadonlySet<string> {
  const undone = new Set<string>();
  for (const event of events.toReversed()) {
    if (event.action.kind === "Revert" && !undone.has(event.id)) undone.add(event.action.event_id);
  }
  return undone;
}

function touches(event: ReviewEvent, recordId: string, byId: ReadonlyMap<string, ReviewEvent>): boolean {
  let found = event;
  while (found.action.kind === "Revert" && found.record_id !== recordId) {
    const target = byId.get(found.action.event_id);
    if (target === undefined || target === found) return false;
    found = target;
  }
  return touchedBy(found.record_id, found.action).includes(recordId);
}

function step(state: Fold, event: ReviewEvent, recordId: string, isCounted: boolean): void {
  const isOwn = event.record_id === recordId;
  const { action } = event;
  if (action.kind === "Split" && !isOwn) state.standing = isCounted ? null : "merged";
  else if (!isCounted) return;
  else if (action.kind === "Merge" && !isOwn) state.standing = "merged";
  else if (isOwn) stepOwn(state, event, action);
}

function stepOwn(state: Fold, event: ReviewEvent, action: Action): void {
  switch (action.kind) {
    case "Split":
      state.standing = "split";
      return;
    case "Accept":
      return decide(state, "accepted", event);
    case "Reject":
      return decide(state, "rejected", null);
    case "Edit":
      decide(state, "proposed", null);
      state.rle = action.rle;
      state.editedBy = event.actor;
      return;
    case "Relabel":
      state.label = action.label;
      return;
    case "Retrack":
      state.track = action.track;
      return;
    case "Reparent":
      state.parent = action.parent;
      return;
    case "Comment":
      state.comments = [...state.comments, { kind: "SignedComment", actor: event.actor, at: event.at, text: action.text }];
      return;
    case "Merge":
    case "Revert":
      return;
  }
}

function decide(state: Fold, status: Status, by: ReviewEvent | null): void {
  state.decision = status;
  state.verifiedBy = by === null ? null : by.actor;
  state.verifiedAt = by === null ? null : by.at;
}
