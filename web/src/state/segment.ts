// Asks the server for the mask in hand: clicks and boxes in, candidates out. Answers that another step overtook are dropped
// by the draft itself; a question that a newer one replaces is given up.

import type { Client } from "../api/client";
import type { Answer } from "../api/problem";
import type { MasksOut, Prompt, SinglePrompt } from "../api/types";
import type { BoxXyxy, ImagePoint } from "../geometry/coords";
import type { Patch } from "../masks/patch";
import { encodeRle } from "../masks/rle";
import type { Draft, Question } from "../tools/draft";
import { previewQuestion } from "../tools/prompting";
import type { Proposal } from "./hand";
import { text } from "../text";
import type { Store } from "./store";

export type Decode = (rles: readonly { readonly size_hw: Patch["sizeHw"]; readonly counts: string }[]) => Promise<readonly Patch[]>;
export type Segmenter = {
  readonly ask: (hand: string, question: Question) => Promise<void>;
  /** What a click here would give; null where nothing came, or something newer was asked. */
  readonly preview: (draft: Draft, at: ImagePoint, isPositive: boolean) => Promise<Patch | null>;
  /** Everything in the frame or in a box of it, as proposals that are not saved. */
  readonly everything: (preset: Preset, within: BoxXyxy | null, signal: AbortSignal) => Promise<Answer<MasksOut>>;
};

type Preset = "fast" | "balanced" | "thorough";

const NUM_CANDIDATES = 3;
const PREVIEW_MS = 5_000;

export function createSegmenter(parts: { readonly store: Store; readonly client: () => Client; readonly decode: Decode }): Segmenter {
  const { store, client, decode } = parts;
  let asking = new AbortController();
  let previewing = new AbortController();

  async function ask(hand: string, question: Question): Promise<void> {
    asking.abort();
    previewing.abort(); // nobody waits for it any more, and the model does one thing at a time
    asking = new AbortController();
    const answer = await segment(question, NUM_CANDIDATES, asking.signal);
    if (answer.ok) {
      const candidates = await proposals(answer.value);
      store.dispatch({ type: "hand-answered", hand, question: question.id, candidates });
    } else if (answer.problem.kind !== "aborted") {
      store.dispatch({ type: "hand-failed", hand, question: question.id, message: text.problem(answer.problem) });
    }
  }

  async function preview(draft: Draft, at: ImagePoint, isPositive: boolean): Promise<Patch | null> {
    previewing.abort();
    previewing = new AbortController();
    const { signal } = previewing;
    const answer = await segment(previewQuestion(draft, at, isPositive), 1, signal, PREVIEW_MS);
    if (!answer.ok || signal.aborted) return null;
    return (await proposals(answer.value))[0]?.patch ?? null;
  }

  async function segment(
    { prompts, base }: Pick<Question, "prompts" | "base">,
    num_masks: number,
    signal: AbortSignal,
    deadline_ms: number | null = null,
  ): Promise<Answer<MasksOut>> {
    const { frame } = store.get();
    const prompt = promptOf(prompts, base);
    if (frame === null || prompt === null) return { ok: false, problem: { kind: "aborted" } };
    return client().call("segment", { signal, body: { frame: frame.id, prompts: [prompt], num_masks, deadline_ms } });
  }

  async function proposals({ masks }: MasksOut): Promise<readonly Proposal[]> {
    const records = masks.map((one) => one.record);
    const patches = await decode(records.map((one) => one.rle));
    return records.flatMap((record, i) => {
      const patch = patches[i];
      return patch === undefined ? [] : [{ record, patch, score: record.scores.predicted_iou ?? 0 }];
    });
  }

  async function everything(preset: Preset, within: BoxXyxy | null, signal: AbortSignal): Promise<Answer<MasksOut>> {
    const { frame } = store.get();
    if (frame === null) return { ok: false, problem: { kind: "aborted" } };
    return client().call("everything", { signal, timeoutMs: 600_000, body: { frame: frame.id, preset, within } });
  }
  return { ask, preview, everything };
}

/** Prompts as the server takes them; null where they say nothing. */
export function promptOf({ points, box }: Question["prompts"], base: Patch | null): Prompt | null {
  const parts: SinglePrompt[] = [];
  if (points.length > 0) {
    const labels = points.map((one) => (one.positive ? 1 : 0));
    parts.push({ kind: "PointPrompt", points_xy: points.map(({ at }) => [at.x, at.y]), labels });
  }
  if (box !== null) parts.push({ kind: "BoxPrompt", box_xyxy: box });
  if (parts.length > 0 && base !== null) parts.push({ kind: "MaskPrompt", rle: { kind: "RLE", ...encodeRle(base) } });
  const [first] = parts;
  if (first === undefined) return null;
  return parts.length === 1 ? first : { kind: "CombinedPrompt", parts };
}
