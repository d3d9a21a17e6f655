// One request to the server that waits to be made: what a person did, durable until the server has said that it is in its
// log. The key makes a repetition harmless, so an entry may be sent any number of times, by any tab.

import type { Action, EventIn, RecordIn, RecordOut, ReviewEvent } from "../api/types";
import type { Problem } from "../api/problem";
import { touchedBy } from "../state/resolve";

export type EditRequest = {
  readonly kind: "edit";
  readonly events: readonly EventIn[];
  /** The etag that each record is to have, by record. */
  readonly expects: { readonly [recordId: string]: string };
};
export type SaveRequest = { readonly kind: "save"; readonly records: readonly (RecordIn & { readonly id: string })[] };

export type Entry = {
  /** The idempotency key. */
  readonly key: string;
  /** Place in the line: entries are sent in this order. */
  readonly order: number;
  /** What one press of a key did is undone at once. */
  readonly group: string;
  /** What it is called: the id of the action, for texts. */
  readonly name: string;
  readonly at: string;
  readonly actor: string;
  readonly frame: string | null;
  readonly request: EditRequest | SaveRequest;
  /** What the person saw of each record when doing it; compared when somebody else was quicker. */
  readonly seen: { readonly [recordId: string]: Seen };
  /** Whether its events make sense only together (a merge, a split), or each by itself (many accepted at once). */
  readonly isAtomic: boolean;
};

/** The aspects of a record that decisions are about. */
export type Seen = {
  readonly counts: string;
  readonly status: RecordOut["status"];
  readonly label: string | null;
  readonly track: string | null;
  /** Entries that an earlier page kept do not say. */
  readonly parent?: string | null;
};

/** An entry that the server would not take. It stays until the person has chosen. */
export type Held = {
  readonly entry: Entry;
  readonly why:
    | { readonly kind: "conflict"; readonly theirs: { readonly [recordId: string]: RecordOut } }
    | { readonly kind: "refused"; readonly problem: Problem };
};

/** The id that an event has until the server has given it one. */
export const localId = (key: string, index: number): string => `local:${key}:${index}`;
export const isLocal = (eventId: string): boolean => eventId.startsWith("local:");

export const seenOf = ({ record, status }: RecordOut): Seen => ({
  counts: record.rle.counts,
  status,
  label: record.label,
  track: record.track,
  parent: record.parent,
});

/** An entry's events as the log will hold them, but for their ids. */
export function eventsOf(entry: Entry): readonly ReviewEvent[] {
  const known = EVENTS.get(entry);
  if (known !== undefined) return known;
  const { request } = entry;
  const events = request.kind === "save" ? [] : request.events.map((event, index) => eventOf(entry, event, index));
  EVENTS.set(entry, events);
  return events;
}

// An entry never changes, and views of masks are made anew only where these are others than before.
const EVENTS = new WeakMap<Entry, readonly ReviewEvent[]>();

const eventOf = (entry: Entry, { record_id, action }: EventIn, index: number): ReviewEvent => ({
  kind: "ReviewEvent",
  id: localId(entry.key, index),
  record_id,
  actor: entry.actor,
  at: entry.at,
  action,
});

/** The records of which an entry says what it expects: those it is about, and those that it would take in. */
export function namedBy(events: readonly EventIn[]): readonly string[] {
  const own = events.map((event) => event.record_id);
  const absorbed = events.flatMap(({ action }) => (action.kind === "Merge" ? action.absorbed : []));
  return [...new Set([...own, ...absorbed])];
}

/** The records that an entry has to do with: while one of them is in question, it waits. */
export function involved({ request }: Entry): readonly string[] {
  if (request.kind === "edit") return request.events.flatMap(({ record_id, action }) => touchedBy(record_id, action));
  const found = request.records.flatMap((one) => [one.id, one.parent ?? "", ...(one.provenance.derived_from ?? [])]);
  return found.filter((one) => one !== "");
}

/** The aspects that an action is about, and that it changes. */
const ABOUT: { readonly [kind in Action["kind"]]: readonly (keyof Seen)[] } = {
  Accept: ["counts", "status"],
  Reject: ["counts", "status"],
  Edit: ["counts", "status"],
  Relabel: ["label", "status"],
  Retrack: ["track", "status"],
  Reparent: ["parent", "status"],
  Merge: ["counts", "status"],
  Split: ["counts", "status"],
  Revert: ["counts", "status", "label", "track", "parent"],
  // Something said is right whatever the mask has become.
  Comment: [],
};

/** Whether what somebody else did leaves alone what an entry is about: then it is sent again, and both have their way. */
export function isCompatible(events: readonly EventIn[], recordId: string, seen: Seen, theirs: Seen): boolean {
  const own = events.filter(({ record_id, action }) => touchedBy(record_id, action).includes(recordId));
  return own.every(({ action }) => ABOUT[action.kind].every((aspect) => isFine(aspect, action, seen, theirs)));
}

function isFine(aspect: keyof Seen, action: Action, seen: Seen, theirs: Seen): boolean {
  if ((seen[aspect] ?? null) === (theirs[aspect] ?? null)) return true;
  if (aspect === "label") return action.kind === "Relabel" && action.label === theirs.label;
  if (aspect === "track") return action.kind === "Retrack" && action.track === theirs.track;
  if (aspect === "parent") return action.kind === "Reparent" && action.parent === theirs.parent;
  if (aspect === "counts") return false;
  // Two who decide the same do not disagree; and a label or track is not about the decision, as long as the mask stands.
  if (theirs.status === "merged" || theirs.status === "split") return false;
  if (action.kind === "Accept") return theirs.status === "accepted";
  if (action.kind === "Reject") return theirs.status === "rejected";
  return action.kind === "Relabel" || action.kind === "Retrack" || action.kind === "Reparent";
}
