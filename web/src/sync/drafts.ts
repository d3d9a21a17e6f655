// The mask in hand is kept with every stroke, so that a reload, a crash or a change of frames costs nothing. Each tab has its
// own; what a tab left behind that is no longer open is taken up by the next that opens the frame.

import { isTouched, fitsFrame, type Hand } from "../state/hand";
import type { FrameOut } from "../api/types";
import type { Store } from "../state/store";
import type { Storage } from "./storage";
import type { Tabs } from "./tabs";

type Kept = { readonly hand: Hand; readonly tab: string; readonly at: number };

export type Drafts = {
  /** The draft that waits on a frame; it is this tab's from now on. */
  readonly find: (frame: FrameOut) => Promise<Hand | null>;
  readonly settled: () => Promise<void>;
};

// Pixels of past strokes that are kept for undoing after a reload; all of them stay while the page lives.
const MOST_BYTES = 8 << 20;

export function createDrafts(parts: { readonly store: Store; readonly storage: Storage; readonly tabs: Tabs; readonly now: () => number }): Drafts {
  const { store, storage, tabs, now } = parts;
  let latest: { readonly key: string; readonly value: Kept | null } | null = null;
  let writing: Promise<void> = Promise.resolve();

  store.observe((event, before, after) => {
    if (!event.type.startsWith("hand-") || event.type === "hand-previewed" || before.hand === after.hand) return;
    const hand = after.hand;
    if (event.type === "hand-dropped" && before.hand !== null) write(keyOf(before.hand.frame, tabs.id), null);
    else if (hand !== null && isTouched(hand)) write(keyOf(hand.frame, tabs.id), { hand: trimmed(hand), tab: tabs.id, at: now() });
  });

  // A stroke that comes while the one before is still being written takes its place.
  function write(key: string, value: Kept | null): void {
    const isWaiting = latest !== null && latest.key === key;
    latest = { key, value };
    if (!isWaiting) writing = writing.then(flush);
  }

  async function flush(): Promise<void> {
    if (latest === null) return;
    const { key, value } = latest;
    latest = null;
    await storage.write([{ area: "drafts", key, value }]).catch(() => store.dispatch({ type: "link-changed", link: { isDurable: false } }));
  }

  async function find(frame: FrameOut): Promise<Hand | null> {
    await writing;
    const [kept, alive] = await Promise.all([storage.read("drafts").catch(() => new Map<string, unknown>()), tabs.alive()]);
    const here = [...kept].map(([key, value]) => ({ key, ...(value as Kept) })).filter((one) => one.hand.frame === frame.id);
    const own = here.find((one) => one.tab === tabs.id);
    const left = here.filter((one) => !alive.has(one.tab)).sort((a, b) => b.at - a.at)[0];
    const found = own ?? left;
    if (found === undefined || !fitsFrame(found.hand, frame.size_hw)) return null;
    if (found !== own) {
      const value: Kept = { hand: found.hand, tab: tabs.id, at: found.at };
      await storage.write([{ area: "drafts", key: found.key, value: null }, { area: "drafts", key: keyOf(frame.id, tabs.id), value }]).catch(() => undefined);
    }
    // The answer that was awaited went to a page that is gone; the clicks wait to be asked again.
    return { ...found.hand, draft: { ...found.hand.draft, asked: null, gesture: null }, preview: null };
  }
  return { find, settled: () => writing };
}

const keyOf = (frame: string, tab: string): string => `${frame} ${tab}`;

function trimmed(hand: Hand): Hand {
  let bytes = 0;
  const past = hand.draft.past.toReversed();
  const most = past.findIndex(({ work }) => (bytes += work.patch.bits.length) > MOST_BYTES);
  const kept = most < 0 ? hand.draft.past : hand.draft.past.slice(hand.draft.past.length - most);
  return { ...hand, preview: null, draft: { ...hand.draft, past: kept, future: [] } };
}
