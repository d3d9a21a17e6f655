// Entries taken apart and brought up to date: new names of events, newer etags. Pure.

import type { EventIn } from "../api/types";
import { versionOf } from "../state/tags";
import { isLocal, localId, namedBy, type Entry } from "./entry";

/** What became of an entry that has left the line: the names of its events now, and the etags that it gave. */
export type Past = {
  readonly order: number;
  /** Real ids, or local ones where the entry fell apart; "" for what was let go. */
  readonly ids: readonly string[];
  readonly etags: { readonly [recordId: string]: string };
};
export type Pasts = ReadonlyMap<string, Past>;

export const GONE = "";

/** The name that an event has by now. */
export function nameNow(pasts: Pasts, eventId: string): string {
  let name = eventId;
  while (isLocal(name)) {
    const [, key = "", index = ""] = name.split(":");
    const next = pasts.get(key)?.ids[Number(index)];
    if (next === undefined) return name;
    name = next;
  }
  return name;
}

export const numEvents = ({ request }: Entry): number => (request.kind === "edit" ? request.events.length : 0);

/** The part of an entry that is about some records. It has a key of its own, as it is another request. */
export function part(entry: Entry, isMeant: (event: EventIn) => boolean, name: string): Entry {
  if (entry.request.kind === "save") return entry;
  const events = entry.request.events.filter(isMeant);
  const named = new Set(namedBy(events));
  const expects = Object.fromEntries(Object.entries(entry.request.expects).filter(([id]) => named.has(id)));
  return { ...entry, key: `${entry.key}.${name}`, request: { kind: "edit", events, expects } };
}

/** What became of an entry that fell apart. */
export function pastOfParts(whole: Entry, parts: readonly Entry[]): Past {
  const names = new Map<EventIn, string>();
  for (const { key, request } of parts) {
    if (request.kind === "edit") request.events.forEach((event, index) => names.set(event, localId(key, index)));
  }
  const events = whole.request.kind === "edit" ? whole.request.events : [];
  return { order: whole.order, ids: events.map((event) => names.get(event) ?? GONE), etags: {} };
}

/** Bring an entry up to date with everything that has left the line before it. */
export const current = (entry: Entry, pasts: Pasts): Entry => [...pasts.values()].reduce(follow, withNames(entry, pasts));

/** Bring an entry up to date with one that has left the line: what comes after it builds on what it made. */
export const follow = (entry: Entry, past: Past): Entry =>
  past.order < entry.order ? expecting(entry, past.etags) : entry;

/** Raise what an entry expects to newer etags, never lower it. */
export function expecting(entry: Entry, tags: { readonly [recordId: string]: string }): Entry {
  if (entry.request.kind === "save") return entry;
  const { expects } = entry.request;
  const newer = Object.entries(expects).map(([id, tag]) => {
    const other = tags[id];
    return [id, other !== undefined && versionOf(other) > versionOf(tag) ? other : tag] as const;
  });
  if (newer.every(([id, tag]) => expects[id] === tag)) return entry;
  return { ...entry, request: { ...entry.request, expects: Object.fromEntries(newer) } };
}

/** Whether an event takes back something that never came to be. */
export const isVoid = ({ action }: EventIn): boolean => action.kind === "Revert" && action.event_id === GONE;

/** Reverts of events that have other names by now. */
export function withNames(entry: Entry, pasts: Pasts): Entry {
  if (entry.request.kind === "save") return entry;
  const before = entry.request.events;
  const events = before.map((event): EventIn => {
    if (event.action.kind !== "Revert") return event;
    const name = nameNow(pasts, event.action.event_id);
    return name === event.action.event_id ? event : { ...event, action: { kind: "Revert", event_id: name } };
  });
  if (events.every((event, i) => event === before[i])) return entry;
  return { ...entry, request: { ...entry.request, events } };
}
