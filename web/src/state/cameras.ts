// What the other cameras of the episode saw at the same step, with their masks: read-only, beside the open frame. Read while
// somebody looks, and again when something was put or decided.

import type { Client } from "../api/client";
import type { FrameOut, RecordOut } from "../api/types";
import type { Patch, Rle } from "../masks/patch";
import type { Clock } from "../sync/sender";
import type { Store } from "./store";

export type Tile = {
  readonly frame: FrameOut;
  readonly masks: readonly { readonly mask: RecordOut; readonly patch: Patch }[];
};
export type Cameras = ReturnType<typeof createCameras>;

export type CamerasParts = {
  readonly store: Store;
  readonly client: () => Client;
  readonly decode: (rles: readonly Rle[]) => Promise<readonly Patch[]>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

const MOST_CAMERAS = 12;
const PATIENCE_MS = 300;

export function createCameras({ store, client, decode, clock, signal }: CamerasParts) {
  let tiles: readonly Tile[] = [];
  let reading = new AbortController();
  let isDue = false;
  const told = new Set<(tiles: readonly Tile[]) => void>();

  function set(next: readonly Tile[]): void {
    tiles = next;
    told.forEach((run) => run(tiles));
  }

  async function read(): Promise<void> {
    reading.abort();
    reading = new AbortController();
    const stop = reading.signal;
    const { frame, look } = store.get();
    if (!look.areCamerasShown || frame?.ref == null) return set([]);
    const { dataset, episode, camera, frame_index } = frame.ref;
    const query = { dataset: [dataset], episode: [episode], first_frame: frame_index, last_frame: frame_index, limit: MOST_CAMERAS + 1 };
    const answer = await client().call("list_frames", { query, signal: stop });
    if (stop.aborted || !answer.ok) return;
    const others = answer.value.items.filter((one) => one.ref?.camera !== camera).slice(0, MOST_CAMERAS);
    // Pictures first; of a camera that is known already the masks stay until the new ones are there.
    set(others.map((one) => ({ frame: one, masks: tiles.find((tile) => tile.frame.id === one.id)?.masks ?? [] })));
    for (const one of others) {
      const masks = await masksOf(one, stop);
      if (stop.aborted) return;
      set(tiles.map((tile) => (tile.frame.id === one.id ? { ...tile, masks } : tile)));
    }
  }

  async function masksOf(frame: FrameOut, stop: AbortSignal): Promise<Tile["masks"]> {
    const answer = await client().call("list_frame_records", { path: { frame: frame.id }, query: { status: "listed" }, signal: stop });
    if (!answer.ok) return [];
    const masks = answer.value.items;
    const patches = await decode(masks.map((one) => one.record.rle));
    return masks.flatMap((mask, i) => {
      const patch = patches[i];
      return patch === undefined ? [] : [{ mask, patch }];
    });
  }

  /** Something was put or decided somewhere. */
  function touch(): void {
    if (isDue || tiles.length === 0) return;
    isDue = true;
    void clock.wait(PATIENCE_MS, signal).then(() => {
      isDue = false;
      if (!signal.aborted) void read();
    });
  }

  store.observe((event, before, after) => {
    const isOther = after.frame?.id !== before.frame?.id || after.look.areCamerasShown !== before.look.areCamerasShown;
    if (isOther) void read();
    else if (event.type === "log-followed" && !before.masks.has(event.logged.event.record_id)) touch();
  });

  return {
    subscribe: (run: (tiles: readonly Tile[]) => void): (() => void) => {
      told.add(run);
      run(tiles);
      return () => void told.delete(run);
    },
    touch,
  };
}
