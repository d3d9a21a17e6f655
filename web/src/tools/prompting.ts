// Clicks and boxes: they gather as prompts, and the server is asked for the mask they mean. The answer's candidates stay
// at hand, so that a key can go through them.

import type { BoxXyxy, ImagePoint } from "../geometry/coords";
import { drawn, finish, NO_PROMPTS, type Candidate, type Draft, type Drawn, type Prompts, type Question, type Work } from "./draft";

type Click = { readonly at: ImagePoint; readonly positive: boolean; readonly isQueued: boolean };

export function click(draft: Draft, { at, positive, isQueued }: Click): Drawn {
  const base = baseOf(draft.work);
  const isNewBase = base !== draft.work.base;
  const { points, box } = isNewBase ? NO_PROMPTS : draft.work.prompts;
  const prompts: Prompts = { points: [...points, { at, positive }], box };
  return prompted(finish(draft, "click", { ...draft.work, prompts, base, isPending: true }), isQueued);
}

/** A new box begins anew: it says more than the clicks before it. */
export function box(draft: Draft, drawnBox: BoxXyxy, isQueued: boolean): Drawn {
  const prompts: Prompts = { points: [], box: drawnBox };
  return prompted(finish(draft, "box", { ...draft.work, prompts, base: null, isPending: true }), isQueued);
}

/** The queue key was let go. */
export const runQueue = (draft: Draft): Drawn => (draft.work.isPending && draft.asked === null ? ask(draft) : drawn(draft));

/** Candidates come best first. One that another action overtook is dropped. */
export function answered(draft: Draft, id: number, candidates: readonly Candidate[]): Draft {
  const best = candidates[0];
  if (id !== draft.asked) return draft;
  if (best === undefined) return failed(draft, id);
  const work: Work = { ...draft.work, patch: best.patch, candidates, chosen: 0, rings: null, isPending: false };
  return { ...draft, work, asked: null };
}

/** The prompts stay, as clicks that wait: `runQueue` asks again. */
export const failed = (draft: Draft, id: number): Draft => (id === draft.asked ? { ...draft, asked: null } : draft);

export function cycle(draft: Draft, by: 1 | -1): Draft {
  const { candidates, chosen } = draft.work;
  if (candidates.length < 2) return draft;
  const next = (chosen + by + candidates.length) % candidates.length;
  const candidate = candidates[next];
  if (candidate === undefined) return draft;
  return { ...draft, work: { ...draft.work, patch: candidate.patch, chosen: next, rings: null } };
}

/** What a click at `at` would ask, for the preview under the pointer; nothing of the draft changes. */
export function previewQuestion(draft: Draft, at: ImagePoint, positive: boolean): Omit<Question, "id" | "kind"> {
  const { work } = click(draft, { at, positive, isQueued: true }).draft;
  return { prompts: work.prompts, base: work.base };
}

/** A candidate that was chosen over the best is what the next click corrects: the choice would be lost otherwise. */
const baseOf = (work: Work): Work["base"] => (work.chosen > 0 ? work.patch : work.base);

const prompted = (draft: Draft, isQueued: boolean): Drawn => (isQueued ? drawn(draft) : ask(draft));

function ask(draft: Draft): Drawn {
  const id = draft.nextQuestion;
  const { prompts, base } = draft.work;
  return drawn({ ...draft, asked: id, nextQuestion: id + 1 }, [{ kind: "segment", id, prompts, base }]);
}
