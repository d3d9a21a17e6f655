// The review application without its pages: everything that is done goes through here. It joins the store, the line to the
// server, what the browser keeps, and the mask in hand; components show `store` and call what they need.

import { mayDo } from "../actions/roles";
import type { Client } from "../api/client";
import type { CallerOut } from "../api/types";
import type { ImagePoint } from "../geometry/coords";
import type { Patch, Rle } from "../masks/patch";
import { islands } from "../masks/islands";
import { createDesk } from "../sync/desk";
import { createDrafts } from "../sync/drafts";
import { createFollower } from "../sync/follow";
import { tellPresence } from "../sync/presence";
import type { Clock } from "../sync/sender";
import type { Storage } from "../sync/storage";
import type { Tabs } from "../sync/tabs";
import { canRedo, isUntouched, newDraft, type Draft, type Effect } from "../tools/draft";
import { box } from "../tools/prompting";
import { createAhead } from "./ahead";
import { createDecide } from "./decide";
import { createFrames } from "./frames";
import { takeHand, type Hand } from "./hand";
import { createJobs } from "./jobs";
import { createPerform } from "./perform";
import { createQueue } from "./queue";
import type { Maker } from "./plan";
import { undecoded } from "./scene";
import { createSearch } from "./search";
import { createSegmenter } from "./segment";
import { createStore, type Store } from "./store";
import { createTime } from "./time";
import type { Mask, State } from "./values";

export type MaskCodec = {
  readonly encode: (patch: Patch) => Promise<Rle>;
  readonly decode: (rles: readonly Rle[]) => Promise<readonly Patch[]>;
  /** A mask for each share of the way between two; on this thread where it is left out. */
  readonly interpolate?: (from: Patch, to: Patch, shares: readonly number[]) => Promise<readonly Patch[]>;
};

export type ReviewParts = {
  readonly client: () => Client;
  readonly caller: CallerOut;
  readonly models: readonly string[];
  readonly storage: Storage;
  readonly tabs: Tabs;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly codec: MaskCodec;
  /** Whether anybody looks at the page. */
  readonly isShown: () => boolean;
};

export type Review = ReturnType<typeof createReview>;

// The first that are decoded show early; the more there are, the fewer times all of them are drawn.
const DECODED_FIRST = 400;
const DECODED_NEXT = 4_000;

export function createReview(parts: ReviewParts) {
  const { client, caller, models, storage, tabs, clock, newId, codec } = parts;
  const store = createStore();
  store.dispatch({ type: "caller-told", caller, models });
  const maker = makerOf(store, caller, newId, clock);
  const drafts = createDrafts({ store, storage, tabs, now: clock.now });
  const ahead = createAhead({ store, client, decode: codec.decode });
  const frames = createFrames({ store, client, drafts, ahead, newId });
  const follower = createFollower({ store, client, clock, onPut: (put) => time.put(put) });
  const queue = createQueue({ store, client, openFrame: frames.open, takeAsPut });
  const decide = createDecide({ store, client, storage, maker, encode: codec.encode, openFrame: frames.open, goesOn: queue.goesOn });
  const desk = createDesk({ store, client, storage, tabs, clock, tidy: decide.tidy });
  const segmenter = createSegmenter({ store, client, decode: codec.decode });
  const search = createSearch({ store, client, decide, segmenter });
  const whole = new AbortController();
  const refresh = (): Promise<void> => follower.refresh(whole.signal);
  const jobs = createJobs({ store, client, clock, newId, refresh });

  /** Begin: what was kept comes back, what waits is sent, what others do comes in. */
  function start(): void {
    // Who may only look has no use of tools.
    if (!mayDo("annotate", store.get())) store.dispatch({ type: "tool-chosen", tool: "move" });
    void decide.restoreRecent();
    void desk.start(whole.signal);
    void follower.run(whole.signal);
    void time.start();
    void tellPresence({ store, client, clock, page: tabs.id, isShown: parts.isShown }, whole.signal);
  }

  /** Take a mask in hand to fix it, or a new one. What was in hand stays as it is if it is the same. */
  function take(base: string | null): void {
    const { frame, hand, tool, masks, patches } = store.get();
    if (frame === null || (hand !== null && hand.base === base && base !== null)) return;
    const record = base === null ? null : (masks.get(base)?.view.record ?? null);
    const patch = base === null ? undefined : patches.get(base)?.patch;
    if (base !== null && (record === null || patch === undefined)) return;
    const given = { id: newId(), frame: frame.id, base: record?.id ?? null, label: record?.label ?? null, parent: record?.parent ?? null };
    store.dispatch({ type: "hand-taken", hand: takeHand(tool, given, frame.size_hw, patch) });
  }

  /**
   * Take a record in hand as it was put, whatever was done to it since. Pixels that somebody drew are the first one's: of
   * such a mask its box asks the model.
   */
  async function takeAsPut(id: string): Promise<void> {
    const answer = await client().call("get_record_history", { path: { record_id: id } });
    if (!answer.ok) return;
    const { rle, label, box_xyxy, provenance } = answer.value.record;
    const [patch] = await codec.decode([rle]);
    const { frame, tool, selection } = store.get();
    if (frame === null || patch === undefined || selection.at(-1) !== id) return;
    const given = { id: newId(), frame: frame.id, base: id, label };
    if (provenance.method !== "human_drawn") {
      store.dispatch({ type: "hand-taken", hand: takeHand(tool, given, frame.size_hw, patch) });
      return;
    }
    const hand = takeHand(tool, given, frame.size_hw);
    store.dispatch({ type: "hand-taken", hand });
    const asked = box(hand.draft, box_xyxy, false);
    onDraft(asked.draft, asked.effects);
  }

  /** The canvas made another draft, and asks what its effects say. */
  function onDraft(draft: Draft, effects: readonly Effect[]): void {
    if (!mayDo("annotate", store.get())) return;
    if (store.get().hand === null) take(null);
    const hand = store.get().hand;
    if (hand === null) return;
    store.dispatch({ type: "hand-drawn", draft });
    for (const effect of effects) {
      if (effect.kind === "segment") void segmenter.ask(hand.id, effect);
      else void search.within(effect.box);
    }
    // A gesture that came to nothing leaves nothing in hand: keys that decide about the selected mask go on working.
    if (isIdle(store.get().hand)) store.dispatch({ type: "hand-dropped" });
  }

  function onPick(found: readonly string[], isAdded: boolean): void {
    const ids = found.filter((id) => store.get().masks.has(id));
    // A click on a stack of masks goes through it, the smallest first.
    const chosen = store.get().selection.at(-1);
    const place = ids.findIndex((id) => id === chosen);
    const id = ids[(place + 1) % Math.max(ids.length, 1)];
    store.dispatch({ type: "selected", ids: id === undefined ? [] : [id], how: isAdded ? "toggle" : "only" });
  }

  const onHover = async (at: ImagePoint): Promise<Patch | null> => {
    // Looking is not taking in hand: keys that decide about the selected mask must go on working under the pointer.
    const { frame, hand, held } = store.get();
    if (frame === null) return null;
    return segmenter.preview(hand?.draft ?? newDraft(frame.size_hw), at, !held.isNegative);
  };

  const pieces = (id: string): readonly Patch[] => {
    const patch = store.get().patches.get(id)?.patch;
    return patch === undefined ? [] : islands(patch);
  };

  const perform = createPerform({ store, decide, frames, search, queue, take, pieces });
  const time = createTime({ store, client, storage, clock, maker, decide, frames, jobs, codec, register: perform.register, signal: whole.signal });
  decodeAsNeeded(store, codec, whole.signal);
  return {
    ...{ store, decide, frames, jobs, search, queue, time, start, take, onDraft, onPick, onHover, refresh },
    ...perform,
    settle: desk.settle,
    /** The network is back, or somebody has signed in. */
    wake: desk.wake,
    /** The page was asleep. */
    resume: desk.refresh,
    settled: async (): Promise<void> => void (await Promise.all([desk.settled(), drafts.settled()])),
    stop: (): void => whole.abort(),
  };
}

const isIdle = (hand: Hand | null): boolean =>
  hand !== null && hand.base === null && hand.label === null && isUntouched(hand.draft) && !canRedo(hand.draft);

function makerOf(store: Store, caller: CallerOut, newId: () => string, clock: Clock): Maker {
  // Two tabs that do something in the same millisecond must not take the same place in the line.
  const fraction = Math.round(clock.random() * 999) / 1000;
  let newest = 0;
  const order = (): number => {
    const { waiting, held } = store.get().outbox;
    const known = [...waiting, ...held.map((one) => one.entry)].map((one) => one.order);
    newest = Math.floor(Math.max(clock.now(), newest + 1, ...known.map((one) => one + 1))) + fraction;
    return newest;
  };
  return { newId, at: () => new Date(clock.now()).toISOString(), order, actor: caller.name };
}

/** Decode masks beside the page as they come, those on top of the list first. */
function decodeAsNeeded(store: Store, codec: MaskCodec, signal: AbortSignal): void {
  let isBusy = false;
  let seen: readonly [State["masks"], State["patches"]] | null = null;
  const failed = new Set<string>();

  async function decode(masks: readonly Mask[]): Promise<void> {
    const most = store.get().patches.size === 0 ? DECODED_FIRST : DECODED_NEXT;
    const records = masks.slice(0, most).map((mask) => mask.view.record);
    const patches = await codec.decode(records.map((one) => one.rle));
    const items = records.flatMap(({ id, rle }, i) => {
      const patch = patches[i];
      return patch === undefined ? [] : [{ id, counts: rle.counts, patch }];
    });
    store.dispatch({ type: "patches-made", items });
  }

  const look = (state: State): void => {
    if (isBusy || signal.aborted || (seen?.[0] === state.masks && seen[1] === state.patches)) return;
    seen = [state.masks, state.patches];
    const masks = undecoded(state).filter((mask) => !failed.has(mask.view.record.rle.counts));
    if (masks.length === 0) return;
    isBusy = true;
    void decode(masks)
      .catch(() => masks.forEach((mask) => failed.add(mask.view.record.rle.counts)))
      .then(() => {
        isBusy = false;
        look(store.get()); // more may have come meanwhile
      });
  };
  store.subscribe(look);
}
