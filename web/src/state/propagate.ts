// Follows the object in hand through its recording: what is in hand is saved, becomes a track if it is none, and a job of
// the server brings the frames up to date, up to the next keyframes. Progress comes as the job goes.

import type { JobOut } from "../api/types";
import { text } from "../text";
import type { Decide } from "./decide";
import { isRunning, type Jobs } from "./jobs";
import type { Store } from "./store";
import type { Timeline } from "./timeline";
import type { Tracks } from "./tracks";
import type { State } from "./values";

export type Way = "forward" | "back" | "both";
export type Propagate = ReturnType<typeof createPropagate>;

export type PropagateParts = {
  readonly store: Store;
  readonly decide: Decide;
  readonly jobs: Jobs;
  readonly timeline: Timeline;
  readonly tracks: Tracks;
};

export function createPropagate({ store, decide, jobs, timeline, tracks }: PropagateParts) {
  const state = store.get;
  const say = (message: string): null => {
    store.dispatch({ type: "noticed", notice: { id: "propagate", kind: "problem", text: message } });
    return null;
  };

  async function propagate(way: Way): Promise<JobOut | null> {
    const id = await inHand();
    const mask = id === null ? undefined : state().masks.get(id)?.view.record;
    const ref = state().frame?.ref ?? null;
    if (id === null || mask === undefined || ref === null) return null;
    const track = mask.track ?? tracks.begin(id);
    if (track === null) return null;
    if (!(await isAllSaved(store))) return say(text.time.notSaved);
    const at = ref.frame_index;
    const [start, end] = await Promise.all([
      way === "forward" ? at : timeline.keyframeBeside(track, at, -1),
      way === "back" ? at : timeline.keyframeBeside(track, at, 1),
    ]);
    return jobs.begin({
      kind: "track",
      source: ref.dataset,
      tracks: [track],
      selection: {
        episodes: [ref.episode],
        cameras: [ref.camera],
        start: start ?? 0,
        ...(end === null ? {} : { stop: end + 1 }),
      },
    });
  }

  /** The mask to begin with: what is in hand is saved first. */
  async function inHand(): Promise<string | null> {
    const { hand } = state();
    if (hand === null) return tracks.maskHere()?.record.id ?? null;
    await decide.commit();
    if (state().hand !== null) return null;
    if (hand.base !== null) store.dispatch({ type: "selected", ids: [hand.base], how: "only" });
    return state().selection.at(-1) ?? null;
  }
  return { propagate };
}

/** Wait until the server has all that was done; false if it is away, or something is in question. */
export function isAllSaved(store: Store): Promise<boolean> {
  return new Promise((resolve) => {
    let leave = (): void => undefined;
    const look = ({ outbox, link }: State): void => {
      const isStuck = link.state !== "online" || outbox.held.length > 0;
      if (!isStuck && outbox.waiting.length > 0) return;
      resolve(!isStuck);
      queueMicrotask(() => leave());
    };
    leave = store.subscribe(look);
  });
}

/** The frames of a track that a job works on; null if it does not. */
export function workingOn(job: JobOut, track: string): readonly [number, number] | null {
  const { tracks, selection } = job.request as { readonly tracks?: readonly string[]; readonly selection?: { readonly start?: number; readonly stop?: number | null } };
  if (job.kind !== "track" || !isRunning(job) || tracks?.includes(track) !== true) return null;
  return [selection?.start ?? 0, (selection?.stop ?? Infinity) - 1];
}
