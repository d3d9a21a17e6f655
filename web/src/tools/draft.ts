// The mask in hand: what the tools work on before it is saved. Each finished click, stroke or vertex is one unit of undo,
// and undo never reaches beyond this mask. Gestures under way are kept apart from the work, so that giving one up costs
// nothing. All values; the server is asked through effects that the caller carries out.

import type { BoxXyxy, ImagePoint, SizeHw } from "../geometry/coords";
import type { Ring } from "../geometry/rings";
import { isEmpty } from "../masks/algebra";
import { emptyPatch, type Patch } from "../masks/patch";

export type PromptPoint = { readonly at: ImagePoint; readonly positive: boolean };
export type Prompts = { readonly points: readonly PromptPoint[]; readonly box: BoxXyxy | null };
export type Candidate = { readonly patch: Patch; readonly score: number };

/** What undo goes back to. */
export type Work = {
  readonly patch: Patch;
  /** Said since `base`; both together ask for the patch. */
  readonly prompts: Prompts;
  /** The mask that the prompts correct: an earlier answer or what a hand drew. Null begins from nothing. */
  readonly base: Patch | null;
  readonly candidates: readonly Candidate[];
  readonly chosen: number;
  /** Outlines of the patch whose vertices can be moved, by the even-odd rule; null until the polygon tool wants them. */
  readonly rings: readonly Ring[] | null;
  /** Clicks that wait for the queue to run. */
  readonly isPending: boolean;
  /** What cuts have taken off so far: masks of their own once this one is saved. Drafts of earlier pages have none. */
  readonly pieces?: readonly Patch[];
};

export type UnitName = "click" | "box" | "stroke" | "erase" | "lasso" | "ring" | "vertex" | "cut" | "change";
export type Unit = { readonly name: UnitName; readonly work: Work };

export type Gesture =
  | { readonly kind: "stroke"; readonly patch: Patch; readonly isErasing: boolean; readonly last: ImagePoint }
  | { readonly kind: "path"; readonly points: readonly ImagePoint[]; readonly isNegative: boolean }
  | { readonly kind: "ring"; readonly points: readonly ImagePoint[]; readonly isNegative: boolean }
  | { readonly kind: "box"; readonly box: BoxXyxy }
  | { readonly kind: "vertex"; readonly before: Work; readonly hasInserted: boolean };

export type Draft = {
  readonly sizeHw: SizeHw;
  readonly work: Work;
  /** The last is the work before the newest unit. */
  readonly past: readonly Unit[];
  readonly future: readonly Unit[];
  readonly gesture: Gesture | null;
  /** The number of the question whose answer is awaited; any other answer comes too late. */
  readonly asked: number | null;
  readonly nextQuestion: number;
};

export type Question = { readonly kind: "segment"; readonly id: number; readonly prompts: Prompts; readonly base: Patch | null };

export type Effect =
  | Question
  /** Every object in a box is to become a proposal. */
  | { readonly kind: "findAll"; readonly box: BoxXyxy };

export type Drawn = { readonly draft: Draft; readonly effects: readonly Effect[] };

export const NO_PROMPTS: Prompts = { points: [], box: null };
const MAX_UNITS = 300;

/** Take a mask in hand; without one, begin a new mask. */
export function newDraft(sizeHw: SizeHw, patch: Patch = emptyPatch(sizeHw)): Draft {
  const base = isEmpty(patch) ? null : patch;
  const work: Work = { patch, prompts: NO_PROMPTS, base, candidates: [], chosen: 0, rings: null, isPending: false };
  return { sizeHw, work, past: [], future: [], gesture: null, asked: null, nextQuestion: 1 };
}

export const drawn = (draft: Draft, effects: readonly Effect[] = []): Drawn => ({ draft, effects });

/** Finish a unit: what was undone before it cannot be redone, and an answer still under way is of no use. */
export function finish(draft: Draft, name: UnitName, work: Work, before: Work = draft.work): Draft {
  const past = [...draft.past, { name, work: before }].slice(-MAX_UNITS);
  return { ...draft, work, past, future: [], gesture: null, asked: null };
}

/** Pixels that a hand changed: from now on prompts correct these. What was cut off before stays cut off. */
export const byHand = (patch: Patch, { pieces = [] }: Pick<Work, "pieces">, rings: readonly Ring[] | null = null): Work => ({
  patch,
  pieces,
  prompts: NO_PROMPTS,
  base: isEmpty(patch) ? null : patch,
  candidates: [],
  chosen: 0,
  rings,
  isPending: false,
});

/** Put other pixels in hand as one unit: holes filled, smoothed, merged with another mask. */
export const change = (draft: Draft, patch: Patch): Draft => finish(draft, "change", byHand(patch, draft.work));

export const abandon = (draft: Draft): Draft => {
  if (draft.gesture === null) return draft;
  const work = draft.gesture.kind === "vertex" ? draft.gesture.before : draft.work;
  return { ...draft, work, gesture: null };
};

export const canUndo = (draft: Draft): boolean => draft.past.length > 0 || draft.gesture?.kind === "ring";
export const canRedo = (draft: Draft): boolean => draft.future.length > 0;

/** Whether anything would be lost if the draft were dropped. */
export const isUntouched = (draft: Draft): boolean => !canUndo(draft) && draft.gesture === null;

/** Go back one unit; a ring that is being drawn loses its last vertex. Clicks that ran together go together. */
export function undo(draft: Draft): Draft {
  if (draft.gesture?.kind === "ring") return dropVertex(draft);
  let next = abandon(draft);
  const wasPending = next.work.isPending;
  do next = back(next);
  while (next.work.isPending && !wasPending && next.past.length > 0);
  return next;
}

export function redo(draft: Draft): Draft {
  let next = abandon(draft);
  do next = forth(next);
  while (next.work.isPending && next.future.length > 0);
  return next;
}

export function dropVertex(draft: Draft): Draft {
  if (draft.gesture?.kind !== "ring") return draft;
  const points = draft.gesture.points.slice(0, -1);
  return { ...draft, gesture: points.length === 0 ? null : { ...draft.gesture, points } };
}

function back(draft: Draft): Draft {
  const unit = draft.past.at(-1);
  if (unit === undefined) return draft;
  const future = [...draft.future, { name: unit.name, work: draft.work }];
  return { ...draft, work: unit.work, past: draft.past.slice(0, -1), future, asked: null };
}

function forth(draft: Draft): Draft {
  const unit = draft.future.at(-1);
  if (unit === undefined) return draft;
  const past = [...draft.past, { name: unit.name, work: draft.work }];
  return { ...draft, work: unit.work, past, future: draft.future.slice(0, -1), asked: null };
}
