// The mask in hand among the state: a draft of the tools (`tools/draft.ts` has its undo), which record it fixes, and where
// its pixels come from. Nothing of it is on the server until it is committed. Pure.

import type { MaskRecord } from "../api/types";
import { emptyPatch, type Patch } from "../masks/patch";
import { isUntouched, newDraft, redo, undo, type Candidate, type Draft } from "../tools/draft";
import { answered, failed } from "../tools/prompting";
import { enterTool } from "../tools/step";
import type { Tool } from "../tools/tool";
import type { HandEvent } from "./events";

/** A candidate as the server gave it: its record tells the model and prompt. */
export type Proposal = Candidate & { readonly record: MaskRecord };

export type Hand = {
  readonly id: string;
  readonly frame: string;
  /** The record that is being fixed; null for a new mask. */
  readonly base: string | null;
  readonly label: string | null;
  /** The mask that it is a part of. Hands that an earlier page kept do not say. */
  readonly parent?: string | null;
  readonly draft: Draft;
  /** What a click under the pointer would give. */
  readonly preview: Candidate | null;
  /** Why the last question had no answer. */
  readonly problem: string | null;
};

/** Begin a new mask, or the fixing of a record. */
export function takeHand(
  tool: Tool,
  given: Pick<Hand, "id" | "frame" | "base" | "label" | "parent">,
  sizeHw: Patch["sizeHw"],
  patch: Patch = emptyPatch(sizeHw),
): Hand {
  return { ...given, draft: enterTool(tool, newDraft(sizeHw, patch)), preview: null, problem: null };
}

/** What the next hand is after an event. */
export function reduceHand(hand: Hand | null, event: HandEvent): Hand | null {
  if (event.type === "hand-taken") return event.hand;
  if (hand === null) return null;
  switch (event.type) {
    case "hand-drawn":
      return drawn(hand, event.draft);
    case "hand-labelled":
      return { ...hand, label: event.label };
    case "hand-parented":
      return { ...hand, parent: event.parent };
    case "hand-answered":
      if (event.hand !== hand.id) return hand;
      return { ...drawn(hand, answered(hand.draft, event.question, event.candidates)), problem: null };
    case "hand-failed":
      if (event.hand !== hand.id || event.question !== hand.draft.asked) return hand;
      return { ...hand, draft: failed(hand.draft, event.question), problem: event.message };
    case "hand-previewed":
      return hand.preview === event.candidate ? hand : { ...hand, preview: event.candidate };
    case "hand-undone":
      return drawn(hand, undo(hand.draft));
    case "hand-redone":
      return drawn(hand, redo(hand.draft));
    case "hand-dropped":
      return null;
  }
}

const drawn = (hand: Hand, draft: Draft): Hand => (draft === hand.draft ? hand : { ...hand, draft, preview: null });

/** Whether anything was done that would be lost with it. */
export const isTouched = (hand: Hand): boolean => !isUntouched(hand.draft);

/** Where the pixels in hand come from: a candidate as it is, a candidate that was drawn on, or a hand alone. */
export type Origin =
  | { readonly kind: "raw"; readonly record: MaskRecord }
  | { readonly kind: "retouched"; readonly record: MaskRecord }
  | { readonly kind: "drawn" };

export function originOf({ work, past }: Draft): Origin {
  const record = proposalOf(work.candidates[work.chosen])?.record;
  if (record !== undefined) return { kind: "raw", record };
  for (const { work: before } of past.toReversed()) {
    const earlier = proposalOf(before.candidates[before.chosen])?.record;
    if (earlier !== undefined) return { kind: "retouched", record: earlier };
  }
  return { kind: "drawn" };
}

const proposalOf = (candidate: Candidate | undefined): Proposal | null =>
  candidate !== undefined && "record" in candidate ? (candidate as Proposal) : null;

/** Whether a draft is of a picture of this size: one that was kept may be of another by now. */
export const fitsFrame = ({ draft }: Hand, sizeHw: Patch["sizeHw"]): boolean =>
  draft.sizeHw[0] === sizeHw[0] && draft.sizeHw[1] === sizeHw[1];
