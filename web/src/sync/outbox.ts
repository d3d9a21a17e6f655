// The line of entries as a value: what waits, what is held, and how answers of the server change it. Pure. An entry leaves
// the line only when the server has it in its log, or when the person has chosen to let it go.

import type { Action, EditedOut, EventIn, RecordOut } from "../api/types";
import type { Problem } from "../api/problem";
import { versionOf } from "../state/tags";
import { involved, isCompatible, localId, namedBy, seenOf, type EditRequest, type Entry, type Held } from "./entry";

export type Outbox = {
  /** In the order in which they are sent. */
  readonly waiting: readonly Entry[];
  readonly held: readonly Held[];
};

/** A changed outbox, and the names that events of it have now instead of those they had. */
export type Renamed = { readonly outbox: Outbox; readonly names: ReadonlyMap<string, string> };

export type Gone = readonly Entry[];

export const EMPTY_OUTBOX: Outbox = { waiting: [], held: [] };
const NO_NAMES: ReadonlyMap<string, string> = new Map();

/** Put entries into the line; ones that are there already stay as they are. */
export function added(outbox: Outbox, entries: readonly Entry[]): Outbox {
  const known = new Set([...outbox.waiting, ...outbox.held.map((one) => one.entry)].map((entry) => entry.key));
  const fresh = entries.filter((entry) => !known.has(entry.key));
  if (fresh.length === 0) return outbox;
  return { ...outbox, waiting: [...outbox.waiting, ...fresh].sort((a, b) => a.order - b.order) };
}

/** The entries that may not be sent yet, since they build on one that is held. */
export function blocked(outbox: Outbox): ReadonlySet<string> {
  if (outbox.held.length === 0) return new Set();
  return dependents(outbox.waiting, outbox.held.map((one) => one.entry));
}

/** The entry to send now. */
export function next(outbox: Outbox): Entry | null {
  const stopped = blocked(outbox);
  return outbox.waiting.find((entry) => !stopped.has(entry.key)) ?? null;
}

/** Entries that have to do with records of the first ones, or of those that do. */
export function dependents(waiting: readonly Entry[], first: readonly Entry[]): ReadonlySet<string> {
  const found = new Set<string>();
  const records = new Map<string, number>();
  const note = (entry: Entry): void => {
    for (const one of involved(entry)) records.set(one, Math.min(records.get(one) ?? Infinity, entry.order));
  };
  first.forEach(note);
  for (const entry of waiting) {
    if (!involved(entry).some((one) => (records.get(one) ?? Infinity) < entry.order)) continue;
    found.add(entry.key);
    note(entry);
  }
  return found;
}

/** The server has an entry's records. */
export function saved(outbox: Outbox, key: string): Outbox {
  return { ...outbox, waiting: outbox.waiting.filter((entry) => entry.key !== key) };
}

/** The server has an entry's events: those that follow now expect what it made, and undo it by its real names. */
export function edited(outbox: Outbox, key: string, answer: EditedOut): Renamed {
  const done = outbox.waiting.find((entry) => entry.key === key);
  if (done === undefined) return { outbox, names: NO_NAMES };
  const names = new Map(answer.items.map((one, index) => [localId(key, index), one.event.id]));
  const follow = (entry: Entry): Entry =>
    entry.order < done.order ? entry : expecting(withNames(entry, names), answer.etags);
  const waiting = outbox.waiting.filter((entry) => entry.key !== key).map(follow);
  return { outbox: { waiting, held: outbox.held.map((one) => withEntry(one, follow(one.entry))) }, names };
}

/** The server refused an entry for good. */
export function refused(outbox: Outbox, key: string, problem: Problem): Outbox {
  const entry = outbox.waiting.find((one) => one.key === key);
  if (entry === undefined) return outbox;
  return { ...saved(outbox, key), held: [...outbox.held, { entry, why: { kind: "refused", problem } }] };
}

/**
 * Somebody was quicker. `theirs` are the records as they are now.
 *
 * What theirs leaves alone is sent again at once; what it does not is held. An entry of many decisions falls apart, so that
 * one mask in question does not hold up the others.
 */
export function conflicted(
  outbox: Outbox,
  key: string,
  theirs: { readonly [recordId: string]: RecordOut },
): Renamed {
  const entry = outbox.waiting.find((one) => one.key === key);
  if (entry === undefined || entry.request.kind === "save") return { outbox, names: NO_NAMES };
  const request = entry.request;
  const inQuestion = Object.keys(request.expects).filter((id) => isInQuestion(entry, request, id, theirs));
  const tags = Object.fromEntries(Object.values(theirs).map((one) => [one.record.id, one.etag]));
  const fresh = expecting(entry, tags);
  if (inQuestion.length === 0) return replaced(outbox, key, [fresh], []);
  const whole = entry.isAtomic || namedBy(request.events).length === 1;
  if (whole) return replaced(outbox, key, [], [heldBy(entry, inQuestion, theirs)]);
  const doubtful = new Set(inQuestion);
  const rest = part(fresh, (id) => !doubtful.has(id), "rest");
  const apart = inQuestion.map((id, i) => heldBy(part(entry, (one) => one === id, String(i)), [id], theirs));
  return replaced(outbox, key, numEvents(rest) > 0 ? [rest] : [], apart);
}

/** Send a held entry again: of a conflict as of what the record is now, of a refusal as it was. */
export function kept(outbox: Outbox, key: string): Outbox {
  const held = outbox.held.find((one) => one.entry.key === key);
  if (held === undefined) return outbox;
  const { why } = held;
  const theirs = why.kind === "conflict" ? Object.values(why.theirs) : [];
  const seen = Object.fromEntries(theirs.map((one) => [one.record.id, seenOf(one)]));
  const tags = Object.fromEntries(theirs.map((one) => [one.record.id, one.etag]));
  const entry = expecting({ ...held.entry, seen: { ...held.entry.seen, ...seen } }, tags);
  return added({ ...outbox, held: outbox.held.filter((one) => one !== held) }, [entry]);
}

/** Let a held entry go, and what builds on it; many decisions at once lose only those about its records. */
export function letGo(outbox: Outbox, key: string): Renamed & { readonly gone: readonly Entry[] } {
  const held = outbox.held.find((one) => one.entry.key === key);
  if (held === undefined) return { outbox, names: NO_NAMES, gone: [] };
  const records = new Set(involved(held.entry));
  const gone: Entry[] = [held.entry];
  const names = new Map<string, string>();
  const waiting = outbox.waiting.flatMap((entry) => {
    if (entry.order < held.entry.order || !involved(entry).some((id) => records.has(id))) return [entry];
    const rest = entry.isAtomic ? null : part(entry, (id) => !records.has(id), "less");
    if (rest === null || numEvents(rest) === 0) {
      involved(entry).forEach((id) => records.add(id)); // what was made on top of it goes too
      gone.push(entry);
      return [];
    }
    namesAfter(entry, [rest]).forEach((name, old) => names.set(old, name));
    gone.push(part(entry, (id) => records.has(id), "gone"));
    return [rest];
  });
  const followed = waiting.map((entry) => withNames(entry, names));
  const others = outbox.held.filter((one) => one !== held).map((one) => withEntry(one, withNames(one.entry, names)));
  return { outbox: { waiting: followed, held: others }, names, gone };
}

const numEvents = ({ request }: Entry): number => (request.kind === "edit" ? request.events.length : 0);

function isInQuestion(
  entry: Entry,
  request: EditRequest,
  id: string,
  theirs: { readonly [recordId: string]: RecordOut },
): boolean {
  const now = theirs[id];
  if (now === undefined || now.etag === request.expects[id]) return false;
  const seen = entry.seen[id];
  return seen === undefined || !isCompatible(request.events, id, seen, seenOf(now));
}

const heldBy = (entry: Entry, ids: readonly string[], theirs: { readonly [recordId: string]: RecordOut }): Held => ({
  entry,
  why: {
    kind: "conflict",
    theirs: Object.fromEntries(ids.flatMap((id) => (theirs[id] === undefined ? [] : [[id, theirs[id]]]))),
  },
});

function replaced(outbox: Outbox, key: string, entries: readonly Entry[], held: readonly Held[]): Renamed {
  const whole = outbox.waiting.find((entry) => entry.key === key);
  const names = namesAfter(whole, [...entries, ...held.map((one) => one.entry)]);
  const waiting = outbox.waiting.filter((entry) => entry.key !== key).map((entry) => withNames(entry, names));
  const others = outbox.held.map((one) => withEntry(one, withNames(one.entry, names)));
  return { outbox: added({ waiting, held: [...others, ...held] }, entries), names };
}

const withEntry = (held: Held, entry: Entry): Held => (entry === held.entry ? held : { ...held, entry });

/** Where an entry fell apart, its events have the names of the parts. */
function namesAfter(whole: Entry | undefined, parts: readonly Entry[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  if (whole?.request.kind !== "edit") return names;
  const events = whole.request.events;
  for (const one of parts) {
    if (one.key === whole.key || one.request.kind !== "edit") continue;
    one.request.events.forEach((event, index) => {
      names.set(localId(whole.key, events.indexOf(event)), localId(one.key, index));
    });
  }
  return names;
}

/** The part of an entry that is about some records. It has a key of its own, as it is another request. */
function part(entry: Entry, isMeant: (recordId: string) => boolean, name: string): Entry {
  if (entry.request.kind === "save") return entry;
  const events = entry.request.events.filter((event) => isMeant(event.record_id));
  const named = new Set(namedBy(events));
  const expects = Object.fromEntries(Object.entries(entry.request.expects).filter(([id]) => named.has(id)));
  return { ...entry, key: `${entry.key}.${name}`, request: { kind: "edit", events, expects } };
}

/** Raise what an entry expects to newer tags, never lower it. */
function expecting(entry: Entry, tags: { readonly [recordId: string]: string }): Entry {
  if (entry.request.kind === "save") return entry;
  const { expects } = entry.request;
  const newer = Object.entries(expects).map(([id, tag]) => {
    const other = tags[id];
    return [id, other !== undefined && versionOf(other) > versionOf(tag) ? other : tag] as const;
  });
  if (newer.every(([id, tag]) => expects[id] === tag)) return entry;
  return { ...entry, request: { ...entry.request, expects: Object.fromEntries(newer) } };
}

function withNames(entry: Entry, names: ReadonlyMap<string, string>): Entry {
  if (entry.request.kind === "save" || names.size === 0) return entry;
  const before = entry.request.events;
  const events = before.map((event): EventIn => {
    const action = renamedAction(event.action, names);
    return action === event.action ? event : { ...event, action };
  });
  if (events.every((event, i) => event === before[i])) return entry;
  return { ...entry, request: { ...entry.request, events } };
}

function renamedAction(action: Action, names: ReadonlyMap<string, string>): Action {
  if (action.kind !== "Revert") return action;
  const name = names.get(action.event_id);
  return name === undefined ? action : { kind: "Revert", event_id: name };
}
