// What can be undone and redone: not copies of the past, but the events to revert. The log only grows, so undoing appends a
// Revert, and redoing reverts that. A record that was made is not taken away, it is rejected.

import type { EventIn } from "../api/types";
import { isLocal, localId, type Entry } from "../sync/entry";
import type { Outbox } from "../sync/outbox";
import type { Done, EventRef, Undo } from "./values";

const MOST = 300;
export const UNDONE_REASON = "undone";

/** Note what entries did. */
export function noted(undo: Undo, entries: readonly Entry[], kind: "do" | "undo" | "redo" | "tidy"): Undo {
  const [first] = entries;
  if (first === undefined || kind === "tidy") return undo;
  const done = doneBy(entries, first);
  if (kind === "undo") return { past: undo.past.slice(0, -1), future: [done, ...undo.future] };
  if (kind === "redo") return { past: [...undo.past, done], future: undo.future.slice(1) };
  const last = undo.past.at(-1);
  if (last?.group === done.group) {
    const joined = { ...last, events: [...last.events, ...done.events], saved: [...last.saved, ...done.saved] };
    return { past: [...undo.past.slice(0, -1), joined], future: [] };
  }
  return { past: [...undo.past, done].slice(-MOST), future: [] };
}

/** What takes a thing done back, newest first. */
export function revertsOf({ events, saved }: Done): readonly EventIn[] {
  const reverts = events.toReversed().map(({ recordId, eventId }): EventIn => {
    return { record_id: recordId, action: { kind: "Revert", event_id: eventId } };
  });
  const rejects = saved.map((id): EventIn => ({ record_id: id, action: { kind: "Reject", reason: UNDONE_REASON } }));
  return [...reverts, ...rejects];
}

/** Follow the outbox: events have other names, and what was let go cannot be undone. */
export function followedNames(undo: Undo, names: ReadonlyMap<string, string>, gone: readonly Entry[] = []): Undo {
  if (names.size === 0 && gone.length === 0) return undo;
  const lost = new Set(gone.flatMap(localIdsOf));
  const lostRecords = new Set(gone.flatMap(({ request }) => (request.kind === "save" ? request.records : [])).map((one) => one.id));
  const follow = (done: Done): Done => ({
    ...done,
    events: done.events
      .map((one) => ({ ...one, eventId: names.get(one.eventId) ?? one.eventId }))
      .filter((one) => !lost.has(one.eventId)),
    saved: done.saved.filter((id) => !lostRecords.has(id)),
  });
  const left = (done: Done): boolean => done.events.length + done.saved.length > 0;
  return { past: undo.past.map(follow).filter(left), future: undo.future.map(follow).filter(left) };
}

/** Drop what speaks of entries that are nowhere: after a reload nothing must point into the void. */
export function grounded(undo: Undo, outbox: Outbox): Undo {
  const entries = [...outbox.waiting, ...outbox.held.map((one) => one.entry)];
  const known = new Set(entries.flatMap(localIdsOf));
  const stands = (done: Done): Done => ({
    ...done,
    events: done.events.filter((one) => !isLocal(one.eventId) || known.has(one.eventId)),
  });
  const left = (done: Done): boolean => done.events.length + done.saved.length > 0;
  return { past: undo.past.map(stands).filter(left), future: undo.future.map(stands).filter(left) };
}

function doneBy(entries: readonly Entry[], first: Entry): Done {
  const saved = entries.flatMap(({ request }) => (request.kind === "save" ? request.records.map((one) => one.id) : []));
  const events = entries.flatMap(refsOf);
  // The pieces of a split go with the split; rejecting them too would only make noise in the log.
  const pieces = new Set(
    entries.flatMap(({ request }) =>
      request.kind === "edit" ? request.events.flatMap(({ action }) => (action.kind === "Split" ? action.into : [])) : [],
    ),
  );
  return { group: first.group, name: first.name, frame: first.frame, events, saved: saved.filter((id) => !pieces.has(id)) };
}

const refsOf = (entry: Entry): readonly EventRef[] =>
  entry.request.kind === "save"
    ? []
    : entry.request.events.map(({ record_id }, index) => ({ recordId: record_id, eventId: localId(entry.key, index) }));

const localIdsOf = (entry: Entry): readonly string[] =>
  entry.request.kind === "save" ? [] : entry.request.events.map((_, index) => localId(entry.key, index));
