// What can be undone and redone: not copies of the past, but the events to revert. The log only grows, so undoing appends a
// Revert, and redoing reverts that. A record that was made is not taken away, it is rejected.

import type { EventIn } from "../api/types";
import { isLocal, localId, type Entry } from "../sync/entry";
import type { Outbox } from "../sync/outbox";
import { GONE, nameNow, type Pasts } from "../sync/parts";
import type { EntryKind } from "./events";
import type { Done, EventRef, Undo } from "./values";

const MOST = 300;
export const UNDONE_REASON = "undone";

/** Note what entries did; `of` is the group of what they take back or do again. */
export function noted(undo: Undo, entries: readonly Entry[], kind: EntryKind): Undo {
  const [first] = entries;
  if (first === undefined || kind.name === "tidy") return undo;
  const done = doneBy(entries, first);
  if (kind.name === "undo") return { past: without(undo.past, kind.of), future: [done, ...undo.future].slice(0, MOST) };
  if (kind.name === "redo") return { past: [...undo.past, done].slice(-MOST), future: without(undo.future, kind.of) };
  return { past: [...undo.past, done].slice(-MOST), future: [] };
}

const without = (list: readonly Done[], group: string): readonly Done[] => list.filter((one) => one.group !== group);

/** What takes a thing done back, newest first. */
export function revertsOf({ events, saved }: Done): readonly EventIn[] {
  const reverts = events.toReversed().map(({ recordId, eventId }): EventIn => {
    return { record_id: recordId, action: { kind: "Revert", event_id: eventId } };
  });
  const rejects = saved.map((id): EventIn => ({ record_id: id, action: { kind: "Reject", reason: UNDONE_REASON } }));
  return [...reverts, ...rejects];
}

/** Follow the outbox: events have other names, and what was let go cannot be undone. */
export function followed(undo: Undo, pasts: Pasts, gone: readonly Entry[] = []): Undo {
  const lost = new Set(gone.flatMap(({ request }) => (request.kind === "save" ? request.records : [])).map((one) => one.id));
  return mapped(undo, (done) => {
    const events = done.events.map((one) => ({ ...one, eventId: nameNow(pasts, one.eventId) }));
    return { ...done, events: events.filter((one) => one.eventId !== GONE), saved: done.saved.filter((id) => !lost.has(id)) };
  });
}

/** Drop what speaks of entries that are nowhere: after a reload nothing must point into the void. */
export function grounded(undo: Undo, outbox: Outbox): Undo {
  const keys = new Set([...outbox.waiting, ...outbox.held.map((one) => one.entry)].map((entry) => entry.key));
  const isThere = (eventId: string): boolean => !isLocal(eventId) || keys.has(eventId.split(":")[1] ?? "");
  return mapped(followed(undo, outbox.pasts), (done) => ({ ...done, events: done.events.filter((one) => isThere(one.eventId)) }));
}

function mapped(undo: Undo, change: (done: Done) => Done): Undo {
  const all = (list: readonly Done[]): readonly Done[] => list.map(change).filter((one) => one.events.length + one.saved.length > 0);
  return { past: all(undo.past), future: all(undo.future) };
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
  return {
    group: first.group,
    name: first.name,
    frame: first.frame,
    events,
    saved: saved.filter((id) => !pieces.has(id)),
    isAtomic: entries.some((one) => one.isAtomic),
  };
}

const refsOf = (entry: Entry): readonly EventRef[] =>
  entry.request.kind === "save"
    ? []
    : entry.request.events.map(({ record_id }, index) => ({ recordId: record_id, eventId: localId(entry.key, index) }));
