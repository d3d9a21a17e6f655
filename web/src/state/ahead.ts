// The masks of the frames beside the open one, read and decoded before anybody goes there, so that going there waits for
// nothing. What is known to have changed since is forgotten; and a frame that opens with them is read again all the same.

import type { Client } from "../api/client";
import type { FrameOut, RecordOut } from "../api/types";
import type { Patch, Rle } from "../masks/patch";
import type { StateEvent } from "./events";
import { touchedBy } from "./resolve";
import type { Store } from "./store";

export type Ready = {
  readonly items: readonly RecordOut[];
  readonly patches: readonly { readonly id: string; readonly counts: string; readonly patch: Patch }[];
};

export type Ahead = {
  /** Make a frame ready, if that is not much work. */
  readonly prepare: (frame: FrameOut) => void;
  /** What is ready of a frame, once: it is somebody's now. */
  readonly take: (id: string) => Ready | null;
};

const MOST_FRAMES = 4;
const MOST_MASKS = 1_000; // more would cost the page that is looked at

export function createAhead(parts: {
  readonly store: Store;
  readonly client: () => Client;
  readonly decode: (rles: readonly Rle[]) => Promise<readonly Patch[]>;
}): Ahead {
  const { store, client, decode } = parts;
  // A key stands for one asking: what was forgotten meanwhile is not kept when its answer comes.
  const kept = new Map<string, { readonly ready: Ready | null }>();

  function prepare({ id, num_masks }: FrameOut): void {
    const number = Object.values(num_masks).reduce((sum, one) => sum + (one ?? 0), 0);
    if (kept.has(id) || number > MOST_MASKS) return;
    const asking = { ready: null };
    kept.set(id, asking);
    for (const oldest of [...kept.keys()].slice(0, Math.max(kept.size - MOST_FRAMES, 0))) kept.delete(oldest);
    void read(id).then((ready) => {
      if (kept.get(id) !== asking) return;
      if (ready === null) kept.delete(id);
      else kept.set(id, { ready });
    });
  }

  async function read(id: string): Promise<Ready | null> {
    const answer = await client().call("list_frame_records", { path: { frame: id }, query: { status: "any" } });
    if (!answer.ok || answer.value.items.length > MOST_MASKS) return null;
    const { items } = answer.value;
    const records = items.filter(({ status }) => status === "proposed" || status === "accepted").map(({ record }) => record);
    const patches = await decode(records.map(({ rle }) => rle)).catch(() => []);
    const found = records.flatMap(({ id: record, rle }, i) => {
      const patch = patches[i];
      return patch === undefined ? [] : [{ id: record, counts: rle.counts, patch }];
    });
    return { items, patches: found };
  }

  function take(id: string): Ready | null {
    const found = kept.get(id)?.ready ?? null;
    kept.delete(id);
    return found;
  }

  store.observe((event) => {
    const [records, frames] = changedBy(event);
    if (records.size + frames.size === 0) return;
    for (const [id, { ready }] of kept) {
      // Of one that is being read it is not known what is on it.
      if (frames.has(id) || ready === null || ready.items.some(({ record }) => records.has(record.id))) kept.delete(id);
    }
  });
  return { prepare, take };
}

/** The records and frames that an event says are others than before. */
function changedBy(event: StateEvent): readonly [records: ReadonlySet<string>, frames: ReadonlySet<string>] {
  const none: ReadonlySet<string> = new Set();
  switch (event.type) {
    case "log-followed":
      return [new Set(touchedBy(event.logged.event.record_id, event.logged.event.action)), none];
    case "entry-edited":
      return [new Set(Object.keys(event.answer.etags)), none];
    case "entries-added":
      return [none, new Set(event.entries.flatMap(({ frame }) => frame ?? []))];
    default:
      return [none, none];
  }
}
