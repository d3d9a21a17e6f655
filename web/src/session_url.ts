// The address of what one looks at: frame, selection, filters, order, tool. It can be sent to somebody, bookmarked, and gone
// back to. Only what differs from the beginning is written. The token is never part of it.

import type { Filter, Sort, State } from "./state/values";
import { peopleSessionOf, readPeople, writePeople, type PeopleSession } from "./session_people";
import { NO_FILTER } from "./state/values";
import { TOOLS, type Tool } from "./tools/tool";

export type Session = {
  readonly frame: string | null;
  readonly selection: readonly string[];
  readonly tool: Tool;
  readonly sort: Sort;
  readonly filter: Filter;
  readonly people: PeopleSession;
};

const SORTS: readonly Sort[] = ["put", "uncertain", "score", "area", "label", "track", "place"];
const STATUSES: Filter["statuses"] = ["proposed", "accepted", "rejected", "merged", "split"];
const METHODS: Filter["methods"] = ["sam_raw", "sam_refined", "human_drawn", "simulator", "imported"];
const MOST_SELECTED = 20; // addresses have an end

export const sessionOf = ({ frame, selection, tool, sort, filter, people }: State): Session => ({
  frame: frame?.id ?? null,
  selection: selection.slice(-MOST_SELECTED),
  tool,
  sort,
  filter,
  people: peopleSessionOf(people),
});

/** Write a session as a query string; "" for the beginning. */
export function queryOf({ frame, selection, tool, sort, filter, people }: Session): string {
  const query = new URLSearchParams();
  if (frame !== null) query.set("frame", frame);
  for (const id of selection) query.append("mask", id);
  if (tool !== "click") query.set("tool", tool);
  if (sort !== "put") query.set("sort", sort);
  if (!isSameSet(filter.statuses, NO_FILTER.statuses)) {
    if (filter.statuses.length === 0) query.set("status", "");
    for (const one of filter.statuses) query.append("status", one);
  }
  for (const one of filter.labels) query.append(...named("label", "unlabelled", one));
  for (const one of filter.methods) query.append("method", one);
  for (const one of filter.actors) query.append("by", one);
  for (const one of filter.tracks) query.append(...named("track", "untracked", one));
  for (const [name, value] of numbersOf(filter)) if (value !== null) query.set(name, String(value));
  if (filter.text !== "") query.set("text", filter.text);
  if (filter.hasComments) query.set("comments", "yes");
  writePeople(query, people);
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

/** Read a query string. What it does not say, or says wrongly, is as at the beginning. */
export function readQuery(text: string): Session {
  const query = new URLSearchParams(text);
  const list = (name: string): readonly string[] => [...new Set(query.getAll(name))].filter((one) => one !== "");
  const among = <T extends string>(all: readonly T[], name: string): readonly T[] => all.filter((one) => query.getAll(name).includes(one));
  const orNone = (name: string, without: string): readonly (string | null)[] => [...list(name), ...(query.has(without) ? [null] : [])];
  return {
    frame: query.get("frame") || null,
    selection: list("mask").slice(-MOST_SELECTED),
    tool: among(TOOLS, "tool")[0] ?? "click",
    sort: among(SORTS, "sort")[0] ?? "put",
    filter: {
      statuses: query.has("status") ? among(STATUSES, "status") : NO_FILTER.statuses,
      labels: orNone("label", "unlabelled"),
      methods: among(METHODS, "method"),
      actors: list("by"),
      tracks: orNone("track", "untracked"),
      minScore: numberIn(query, "score_from"),
      maxScore: numberIn(query, "score_to"),
      minArea: numberIn(query, "area_from"),
      maxArea: numberIn(query, "area_to"),
      text: query.get("text") ?? "",
      hasComments: query.get("comments") === "yes",
    },
    people: readPeople(query),
  };
}

const named = (name: string, without: string, value: string | null): [string, string] => (value === null ? [without, "yes"] : [name, value]);

const numbersOf = (filter: Filter): readonly (readonly [string, number | null])[] => [
  ["score_from", filter.minScore],
  ["score_to", filter.maxScore],
  ["area_from", filter.minArea],
  ["area_to", filter.maxArea],
];

function numberIn(query: URLSearchParams, name: string): number | null {
  const text = query.get(name);
  if (text === null || text.trim() === "") return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

const isSameSet = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((one) => b.includes(one));
