// Finds objects of the open frame: everything there is, in a box of it, or what words say. What a model found becomes
// proposals of the list.

import type { Client } from "../api/client";
import type { Answer } from "../api/problem";
import type { MasksOut } from "../api/types";
import type { BoxXyxy } from "../geometry/coords";
import { text } from "../text";
import type { Decide } from "./decide";
import type { Segmenter } from "./segment";
import type { Store } from "./store";
import type { Notice } from "./values";

export type SearchParts = {
  readonly store: Store;
  readonly client: () => Client;
  readonly decide: Decide;
  readonly segmenter: Segmenter;
};

export type Search = ReturnType<typeof createSearch>;

export function createSearch({ store, client, decide, segmenter }: SearchParts) {
  const open = (): string | null => store.get().frame?.id ?? null;
  const say = (kind: Notice["kind"], message: string): void =>
    store.dispatch({ type: "noticed", notice: { id: "found", kind, text: message } });

  function propose(frame: string, answer: Answer<MasksOut>, label: string | null): void {
    if (!answer.ok) return say("problem", text.problem(answer.problem));
    if (frame !== open()) return;
    decide.propose(answer.value.masks.map(({ record }) => (label === null ? record : { ...record, label })));
    say("note", text.work.everything(answer.value.masks.length));
  }

  async function look(box: BoxXyxy | null): Promise<void> {
    const frame = open();
    if (frame === null) return;
    say("note", text.work.everythingBegun);
    propose(frame, await segmenter.everything("fast", box, new AbortController().signal), null);
  }

  async function words(asked: string): Promise<void> {
    const frame = open();
    if (frame === null) return;
    say("note", text.asking);
    const prompts = [{ kind: "TextPrompt" as const, text: asked }];
    const answer = await client().call("segment", { body: { frame, prompts, closer: true } });
    const refused = answer.ok ? answer.value.masks.find(({ record }) => record.area === 0) : undefined;
    if (refused === undefined) return propose(frame, answer, asked);
    if (frame === open()) say("note", text.words.unsure(asked, refused.record.scores.predicted_iou ?? 0));
  }
  return { everything: () => look(null), within: look, words };
}
