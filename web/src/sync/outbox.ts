// The line of entries as a value: what waits, what is held, and how answers of the server change it. Pure. An entry leaves
// the line only when the server has it in its log, or when the person has chosen to let it go.

import type { EditedOut, RecordOut } from "../api/types";
import type { Problem } from "../api/problem";
import { involved, isCompatible, namedBy, seenOf, type EditRequest, type Entry, type Held } from "./entry";
import { current, expecting, follow, isVoid, numEvents, part, pastOfParts, withNames, type Past, type Pasts } from "./parts";

export type Outbox = {
  /** In the order in which they are sent. */
  readonly waiting: readonly Entry[];
  readonly held: readonly Held[];
  /** What became of entries: another tab, or undo, may still speak of them by their old names. */
  readonly pasts: Pasts;
  /** The entry that was sent and may be in the server's log: it goes first, and stays whole, until that is known. */
  readonly tried: string | null;
};
export type Theirs = { readonly [recordId: string]: RecordOut };

export const EMPTY_OUTBOX: Outbox = { waiting: [], held: [], pasts: new Map(), tried: null };
const MOST_PASTS = 500;

/** Put entries into the line; ones that are or were there already stay as they are. */
export function added(outbox: Outbox, entries: readonly Entry[]): Outbox {
  const known = new Set([...outbox.waiting, ...outbox.held.map((one) => one.entry)].map((entry) => entry.key));
  const fresh = entries.filter((entry) => !known.has(entry.key) && !outbox.pasts.has(entry.key));
  if (fresh.length === 0) return outbox;
  const inLine = fresh.map((entry) => current(entry, outbox.pasts));
  return withoutVoid({ ...outbox, waiting: sorted([...outbox.waiting, ...inLine]) });
}

/** The entries that may not be sent yet, since they build on one that is held. */
export function blocked(outbox: Outbox): ReadonlySet<string> {
  if (outbox.held.length === 0) return new Set();
  return dependents(outbox.waiting, outbox.held.map((one) => one.entry));
}

/** The entry to send now. */
export function next(outbox: Outbox): Entry | null {
  const inDoubt = outbox.waiting.find((entry) => entry.key === outbox.tried);
  if (inDoubt !== undefined) return inDoubt;
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

/** An entry is about to be sent. */
export const tried = (outbox: Outbox, key: string): Outbox => (outbox.tried === key ? outbox : { ...outbox, tried: key });

/** The server has an entry's records. */
export function saved(outbox: Outbox, key: string): Outbox {
  const done = outbox.waiting.find((entry) => entry.key === key);
  return done === undefined ? outbox : left(outbox, key, { order: done.order, ids: [], etags: {} });
}

/** The server has an entry's events: those that follow now expect what it made, and undo it by its real names. */
export function edited(outbox: Outbox, key: string, answer: EditedOut): Outbox {
  const done = outbox.waiting.find((entry) => entry.key === key);
  if (done === undefined) return outbox;
  const ids = answer.items.map((one) => one.event.id);
  return left(outbox, key, { order: done.order, ids, etags: answer.etags });
}

/** The server refused an entry for good. */
export function refused(outbox: Outbox, key: string, problem: Problem): Outbox {
  const entry = outbox.waiting.find((one) => one.key === key);
  if (entry === undefined) return outbox;
  const waiting = outbox.waiting.filter((one) => one !== entry);
  return { ...outbox, waiting, held: standing([...outbox.held, { entry, why: { kind: "refused", problem } }]) };
}

/**
 * Somebody was quicker. `theirs` are the records as they are now.
 *
 * What theirs leaves alone is sent again at once; what it does not is held. An entry of many decisions falls apart, so that
 * one mask in question does not hold up the others.
 */
export function conflicted(outbox: Outbox, key: string, theirs: Theirs): Outbox {
  const entry = outbox.waiting.find((one) => one.key === key);
  if (entry === undefined || entry.request.kind === "save") return outbox;
  const { request } = entry;
  const inQuestion = Object.keys(request.expects).filter((id) => isInQuestion(entry, request, id, theirs));
  const fresh = expecting(entry, tagsOf(theirs));
  if (inQuestion.length === 0) return { ...outbox, waiting: outbox.waiting.map((one) => (one === entry ? fresh : one)) };
  if (entry.isAtomic || namedBy(request.events).length === 1) {
    const waiting = outbox.waiting.filter((one) => one !== entry);
    return { ...outbox, waiting, held: standing([...outbox.held, heldBy(entry, inQuestion, theirs)]) };
  }
  const doubtful = new Set(inQuestion);
  const rest = part(fresh, (event) => !doubtful.has(event.record_id), "rest");
  const apart = inQuestion.map((id, i) => heldBy(part(fresh, (event) => event.record_id === id, String(i)), [id], theirs));
  const past = pastOfParts(entry, [rest, ...apart.map((one) => one.entry)]);
  const without = left(outbox, key, past);
  return added({ ...without, held: standing([...without.held, ...apart]) }, numEvents(rest) > 0 ? [rest] : []);
}

/** Send a held entry again: of a conflict as of what the record is now, of a refusal as it was. */
export function kept(outbox: Outbox, key: string): Outbox {
  const held = outbox.held.find((one) => one.entry.key === key);
  if (held === undefined) return outbox;
  const theirs = held.why.kind === "conflict" ? held.why.theirs : {};
  const seen = Object.fromEntries(Object.values(theirs).map((one) => [one.record.id, seenOf(one)]));
  const entry = expecting({ ...held.entry, seen: { ...held.entry.seen, ...seen } }, tagsOf(theirs));
  return added({ ...outbox, held: outbox.held.filter((one) => one !== held) }, [entry]);
}

/** Let a held entry go, and what builds on it; many decisions at once lose only those about its records. */
export function letGo(outbox: Outbox, key: string): { readonly outbox: Outbox; readonly gone: readonly Entry[] } {
  const held = outbox.held.find((one) => one.entry.key === key);
  if (held === undefined) return { outbox, gone: [] };
  const records = new Set(involved(held.entry));
  const gone: Entry[] = [held.entry];
  const pasts = new Map([[held.entry.key, pastOfParts(held.entry, [])]]);
  const waiting = outbox.waiting.flatMap((entry) => {
    if (entry.key === outbox.tried || entry.order < held.entry.order || !involved(entry).some((id) => records.has(id))) return [entry];
    const rest = entry.isAtomic ? null : part(entry, (event) => !records.has(event.record_id), "less");
    const isLeft = rest !== null && numEvents(rest) > 0;
    // What was made on top of an entry that goes whole goes too.
    if (!isLeft) involved(entry).forEach((id) => records.add(id));
    pasts.set(entry.key, pastOfParts(entry, isLeft ? [rest] : []));
    gone.push(isLeft ? part(entry, (event) => records.has(event.record_id), "gone") : entry);
    return isLeft ? [rest] : [];
  });
  const without = { ...outbox, waiting, held: outbox.held.filter((one) => one !== held) };
  return { outbox: [...pasts].reduce<Outbox>((line, [name, past]) => left(line, name, past), without), gone };
}

/** Take an entry out of the line, and bring the others up to date with what became of it. */
function left(outbox: Outbox, key: string, past: Past): Outbox {
  const pasts = new Map([...outbox.pasts, [key, past] as const].slice(-MOST_PASTS));
  const isNamed = past.ids.length > 0;
  const later = (entry: Entry): Entry => follow(isNamed ? withNames(entry, pasts) : entry, past);
  const waiting = outbox.waiting.filter((entry) => entry.key !== key).map(later);
  const held = outbox.held.filter((one) => one.entry.key !== key).map((one) => {
    const entry = later(one.entry);
    return entry === one.entry ? one : { ...one, entry };
  });
  return withoutVoid({ ...outbox, waiting, held, pasts });
}

/** Take out what takes back things that never came to be; entries of nothing else go. */
function withoutVoid(outbox: Outbox): Outbox {
  const isHollow = ({ request }: Entry): boolean => request.kind === "edit" && request.events.some(isVoid);
  const hollow = [...outbox.waiting, ...outbox.held.map((one) => one.entry)].find(isHollow);
  if (hollow === undefined) return outbox;
  const rest = part(hollow, (event) => !isVoid(event), "less");
  const parts = numEvents(rest) > 0 ? [rest] : [];
  const swapped = {
    ...outbox,
    waiting: outbox.waiting.flatMap((entry) => (entry === hollow ? parts : [entry])),
    held: outbox.held.flatMap((one) => (one.entry === hollow ? parts.map((entry) => ({ ...one, entry })) : [one])),
  };
  return left(swapped, hollow.key, pastOfParts(hollow, parts));
}

const byOrder = (a: Entry, b: Entry): number => a.order - b.order || (a.key < b.key ? -1 : 1);
/** In the order in which things were done, on every tab the same. */
export const sorted = (entries: readonly Entry[]): readonly Entry[] => entries.toSorted(byOrder);
export const standing = (held: readonly Held[]): readonly Held[] => held.toSorted((a, b) => byOrder(a.entry, b.entry));
const tagsOf = (theirs: Theirs): { readonly [recordId: string]: string } =>
  Object.fromEntries(Object.values(theirs).map((one) => [one.record.id, one.etag]));

function isInQuestion(entry: Entry, request: EditRequest, id: string, theirs: Theirs): boolean {
  const now = theirs[id];
  if (now === undefined || now.etag === request.expects[id]) return false;
  const seen = entry.seen[id];
  return seen === undefined || !isCompatible(request.events, id, seen, seenOf(now));
}

const heldBy = (entry: Entry, ids: readonly string[], theirs: Theirs): Held => ({
  entry,
  why: { kind: "conflict", theirs: Object.fromEntries(Object.entries(theirs).filter(([id]) => ids.includes(id))) },
});

