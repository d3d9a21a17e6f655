// Questions to the state. Those that components ask on every change remember their last answer, and give the same object
// while what it is made of is the same.

import type { FrameOut, MaskRecord } from "../api/types";
import { uniteBoxes } from "../geometry/boxes";
import type { BoxXyxy } from "../geometry/coords";
import { blocked } from "../sync/outbox";
import { rowsOf, type Row } from "./parts";
import type { Status } from "./resolve";
import type { Filter, Mask, Sort, State } from "./values";

export type SyncState =
  | { readonly kind: "saved" }
  | { readonly kind: "saving"; readonly waiting: number }
  | { readonly kind: "offline"; readonly waiting: number; readonly retryAt: number | null }
  | { readonly kind: "signed_out"; readonly waiting: number }
  /** Questions to the person stand: conflicts and refusals. */
  | { readonly kind: "held"; readonly held: number; readonly waiting: number };

/** Remember the last answer for the same parts. */
function remembered<P extends readonly unknown[], R>(make: (...parts: P) => R): (...parts: P) => R {
  let last: { readonly parts: P; readonly answer: R } | null = null;
  return (...parts) => {
    if (last !== null && parts.every((one, i) => one === last?.parts[i])) return last.answer;
    last = { parts, answer: make(...parts) };
    return last.answer;
  };
}

/** What the model, or a tracker, thinks of a mask; null where nobody thinks anything. */
export function scoreOf({ scores, track_point }: MaskRecord): number | null {
  if (track_point !== null && track_point.source !== "keyframe") return track_point.confidence ?? null;
  return scores.predicted_iou ?? scores.stability;
}

/** Who had to do with a mask as it is: who made it, drew its pixels, or accepted it. */
export const actorsOf = ({ record, edited_by, verified_by }: Mask["view"]): readonly string[] => [
  ...new Set([record.provenance.actor, edited_by, verified_by].filter((one) => one !== null)),
];

export const isListed = ({ view }: Mask): boolean => view.status === "proposed" || view.status === "accepted";

/** Masks that pass the filter, in the order of the list. */
export const visibleMasks = (state: State): readonly Mask[] => visible(state.masks, state.filter, state.sort);
const visible = remembered((masks: State["masks"], filter: Filter, sort: Sort): readonly Mask[] => {
  const passes = filterOf(filter);
  const found = [...masks.values()].filter(({ view }) => passes(view) && (!filter.hasComments || view.comments.length > 0));
  const compare = ORDERS[sort];
  return compare === null ? found : found.sort((a, b) => compare(a.view.record, b.view.record));
});

/** Those masks as rows of a tree, parts under their objects. */
export const listRows = (state: State): readonly Row[] => rows(visibleMasks(state), state.collapsed);
const rows = remembered(rowsOf);
const ordered = remembered((masks: readonly Mask[]): readonly Mask[] => rowsOf(masks, NOTHING).map((row) => row.mask));
const NOTHING: ReadonlySet<string> = new Set();

function filterOf(filter: Filter): (view: Mask["view"]) => boolean {
  const statuses = new Set(filter.statuses);
  const [labels, methods] = [new Set(filter.labels), new Set(filter.methods)];
  const [actors, tracks] = [new Set(filter.actors), new Set(filter.tracks)];
  const text = filter.text.trim().toLowerCase();
  return (view) => {
    const { record, status } = view;
    const score = scoreOf(record);
    const { provenance } = record;
    return (
      statuses.has(status) &&
      (labels.size === 0 || labels.has(record.label)) &&
      (methods.size === 0 || methods.has(provenance.method)) &&
      (actors.size === 0 || actorsOf(view).some((one) => actors.has(one))) &&
      (tracks.size === 0 || tracks.has(record.track)) &&
      (filter.minScore === null || (score !== null && score >= filter.minScore)) &&
      (filter.maxScore === null || (score !== null && score <= filter.maxScore)) &&
      (filter.minArea === null || record.area >= filter.minArea) &&
      (filter.maxArea === null || record.area <= filter.maxArea) &&
      (text === "" || `${record.label ?? ""} ${record.track ?? ""} ${record.id}`.toLowerCase().includes(text))
    );
  };
}

type Compare = (a: MaskRecord, b: MaskRecord) => number;
const last = (value: number | null, least: number): number => value ?? least;
const names = new Intl.Collator("en", { numeric: true });
const byName = (a: string | null, b: string | null): number =>
  a === null || b === null ? Number(a === null) - Number(b === null) : names.compare(a, b);

const ORDERS: { readonly [sort in Sort]: Compare | null } = {
  put: null,
  // What nobody has an opinion of is as uncertain as can be.
  uncertain: (a, b) => last(scoreOf(a), -1) - last(scoreOf(b), -1),
  score: (a, b) => last(scoreOf(b), -1) - last(scoreOf(a), -1),
  area: (a, b) => b.area - a.area,
  label: (a, b) => byName(a.label, b.label),
  track: (a, b) => byName(a.track, b.track),
  place: (a, b) => a.box_xyxy[1] - b.box_xyxy[1] || a.box_xyxy[0] - b.box_xyxy[0],
};

/** The mask to look at next: the first proposal in the list after the selected one, round to the beginning. */
export function nextUnreviewed(state: State, after: string | null = state.selection.at(-1) ?? null): string | null {
  const list = ordered(visibleMasks(state));
  const begin = list.findIndex(({ view }) => view.record.id === after) + 1;
  const round = [...list.slice(begin), ...list.slice(0, begin)];
  const isOpen = ({ view }: Mask): boolean => view.status === "proposed" && view.record.id !== after && view.record.id !== state.hand?.base;
  const fresh = round.find((mask) => isOpen(mask) && !state.skipped.has(mask.view.record.id));
  return (fresh ?? round.find(isOpen))?.view.record.id ?? null;
}

/** The mask before or after the selected one in the list. */
export function neighbour(state: State, by: 1 | -1): string | null {
  const list = listRows(state).map((row) => row.mask);
  if (list.length === 0) return null;
  const place = list.findIndex(({ view }) => view.record.id === state.selection.at(-1));
  const next = place < 0 ? (by > 0 ? 0 : list.length - 1) : (place + by + list.length) % list.length;
  return list[next]?.view.record.id ?? null;
}

/** How many masks of the frame have each status. */
export const countsOf = (state: State): { readonly [status in Status]: number } => counted(state.masks);
const counted = remembered((masks: State["masks"]) => {
  const counts = { proposed: 0, accepted: 0, rejected: 0, merged: 0, split: 0 };
  for (const { view } of masks.values()) counts[view.status] += 1;
  return counts;
});

/** The values that filters can choose among on this frame, with how many masks have each. */
export const facetsOf = (state: State): Facets => facets(state.masks);
export type Facets = {
  readonly labels: ReadonlyMap<string | null, number>;
  readonly methods: ReadonlyMap<string, number>;
  readonly actors: ReadonlyMap<string, number>;
  readonly tracks: ReadonlyMap<string | null, number>;
};
const facets = remembered((masks: State["masks"]): Facets => {
  const listed = [...masks.values()].filter(isListed).map((mask) => mask.view);
  const byEach = <K>(keys: (view: Mask["view"]) => readonly K[]): ReadonlyMap<K, number> => {
    const counts = new Map<K, number>();
    for (const key of listed.flatMap(keys)) counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts;
  };
  const by = <K>(key: (record: MaskRecord) => K): ReadonlyMap<K, number> => byEach(({ record }) => [key(record)]);
  return {
    labels: by((record) => record.label),
    methods: by((record) => record.provenance.method),
    actors: byEach(actorsOf),
    tracks: by((record) => record.track),
  };
});

/** Labels to offer: the set, then what was used last, then what is on the frame. Number keys give the first ten. */
export const labelChoices = (state: State): readonly string[] => choices(state.labels, state.recentLabels, facetsOf(state));
const choices = remembered((labels: readonly string[], recent: readonly string[], { labels: here }: Facets): readonly string[] => [
  ...new Set([...labels, ...recent, ...[...here.keys()].filter((one) => one !== null)]),
]);

/** Labels that begin with, or else contain, what was typed. */
export function completions(state: State, typed: string, most = 10): readonly string[] {
  const wanted = typed.trim().toLowerCase();
  const all = labelChoices(state);
  const begin = all.filter((label) => label.toLowerCase().startsWith(wanted));
  const within = all.filter((label) => !begin.includes(label) && label.toLowerCase().includes(wanted));
  return [...begin, ...within].slice(0, most);
}

/** The frame before or after in the list; null at its ends. */
export function frameBeside(state: State, by: number): FrameOut | null {
  const place = state.frames.items.findIndex((one) => one.id === state.frame?.id);
  if (place < 0) return state.frames.items[0] ?? null;
  const last_ = state.frames.items.length - 1;
  const next = Math.min(Math.max(place + by, 0), last_);
  return next === place ? null : (state.frames.items[next] ?? null);
}

/** What to tell about saving. */
export function syncState({ outbox, link }: State): SyncState {
  // As people count: what one press of a key did is one change, however many requests it takes.
  const waiting = new Set(outbox.waiting.map((one) => one.group)).size;
  if (link.state === "signed_out") return { kind: "signed_out", waiting };
  if (outbox.held.length > 0) return { kind: "held", held: outbox.held.length, waiting };
  if (link.state === "offline") return { kind: "offline", waiting, retryAt: link.retryAt };
  return waiting === 0 ? { kind: "saved" } : { kind: "saving", waiting };
}

/** Whether the page may be closed without anything being lost. */
export const mayLeave = ({ outbox, link }: State): boolean => link.isDurable || outbox.waiting.length + outbox.held.length === 0;

/** How many entries wait for a choice about another. */
export const numBlocked = ({ outbox }: State): number => blocked(outbox).size;

/** What `undo` would take back: the newest, whichever frame it is on. */
export const nextUndo = (state: State) => state.undo.past.at(-1) ?? null;
export const nextRedo = (state: State) => state.undo.future[0] ?? null;

/** The selected masks that are on the frame, newest selected last. */
export const selectedMasks = (state: State): readonly Mask[] =>
  state.selection.flatMap((id) => {
    const mask = state.masks.get(id);
    return mask === undefined ? [] : [mask];
  });

/** The box around all selected masks; null where none is selected. */
export const boxOfSelection = (state: State): BoxXyxy | null =>
  selectedMasks(state)
    .map(({ view }): BoxXyxy => view.record.box_xyxy)
    .reduce((all: BoxXyxy | null, box) => (all === null ? box : uniteBoxes(all, box)), null);
