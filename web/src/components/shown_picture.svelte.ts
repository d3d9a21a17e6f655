// The picture of the open frame, with its neighbours made ready, and the time that plays it. A component calls these while
// it is made; they end with it.

import { fromStore } from "svelte/store";
import type { Picture } from "../draw/picture";
import type { Pictures } from "../pictures";
import type { Review } from "../state/review";
import { frameBeside } from "../state/select";
import type { Store } from "../state/store";
import { text } from "../text";

export type Shown = {
  readonly picture: Picture | null;
  /** What is said about a picture that cannot be shown, after the words that it cannot. */
  readonly problem: string | null;
};

const AGAIN_MS = 3000; // the server was away when it was asked

/** Keep to the picture of the open frame. */
export function showPictures(store: Store, pictures: Pictures): { readonly shown: Shown } {
  const state = fromStore(store);
  const frame = $derived(state.current.frame?.id ?? null);
  const isOnline = $derived(state.current.link.state === "online");
  let shown = $state.raw<Shown>({ picture: null, problem: null });

  async function show(id: string): Promise<void> {
    shown = { picture: pictures.ready(id), problem: null };
    const found = await pictures.open(id);
    if (id !== frame) return;
    if ("kind" in found) {
      const isUnsaid = found.kind === "refused" && found.message === "";
      shown = { picture: null, problem: isUnsaid ? "" : `. ${text.problem(found)}` };
      return;
    }
    shown = { picture: found, problem: null };
    for (const by of [1, -1]) {
      const next = frameBeside(store.get(), by);
      if (next !== null) pictures.ahead(next);
    }
    void pictures.open(id); // it stays the newest
  }

  $effect(() => {
    if (frame !== null) void show(frame);
  });
  $effect(() => {
    if (!isOnline || shown.problem === null) return;
    const timer = setTimeout(() => frame !== null && void show(frame), AGAIN_MS);
    return () => clearTimeout(timer);
  });
  return {
    get shown() {
      return shown;
    },
  };
}

/** Go from frame to frame while time plays, none before its picture is there. */
export function playFrames({ store, frames }: Pick<Review, "store" | "frames">, pictures: Pictures): void {
  const state = fromStore(store);
  const isPlaying = $derived(state.current.time.isPlaying);

  $effect(() => {
    if (!isPlaying) return;
    let isOn = true;
    const play = async (): Promise<void> => {
      while (isOn) {
        const due = new Promise((resolve) => setTimeout(resolve, 1000 / store.get().time.framesPerSecond));
        const hasMoved = await frames.step(1);
        if (!hasMoved && isOn) store.dispatch({ type: "time-changed", time: { isPlaying: false } });
        const { frame } = store.get();
        if (frame !== null) await pictures.open(frame.id);
        await due;
      }
    };
    void play();
    return () => void (isOn = false);
  });
}
