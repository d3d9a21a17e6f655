// Everything about time, joined: the timeline, steps and jumps, propagation, what is done to tracks, the other cameras; and
// which actions of the table these are. How somebody likes it is kept from one session to the next.

import type { ActionId } from "../actions/table";
import type { Client } from "../api/client";
import type { JobOut } from "../api/types";
import { interpolate } from "../masks/interpolate";
import type { Patch, Rle } from "../masks/patch";
import type { Put } from "../sync/puts";
import type { Clock } from "../sync/sender";
import type { Storage } from "../sync/storage";
import { text } from "../text";
import { createCameras } from "./cameras";
import type { Decide } from "./decide";
import type { Frames } from "./frames";
import { isRunning, type Jobs } from "./jobs";
import type { Maker } from "./plan";
import { createPropagate } from "./propagate";
import type { Store } from "./store";
import { createTimeline, idsOfTrack } from "./timeline";
import { createTracks } from "./tracks";
import type { Look, State, Time } from "./values";

export type TimeParts = {
  readonly store: Store;
  readonly client: () => Client;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly maker: Maker;
  readonly decide: Decide;
  readonly frames: Frames;
  readonly jobs: Jobs;
  readonly codec: {
    readonly encode: (patch: Patch) => Promise<Rle>;
    readonly decode: (rles: readonly Rle[]) => Promise<readonly Patch[]>;
    readonly interpolate?: ((from: Patch, to: Patch, shares: readonly number[]) => Promise<readonly Patch[]>) | undefined;
  };
  readonly register: (id: ActionId, handler: () => unknown) => () => void;
  readonly signal: AbortSignal;
};

export type TimeWork = ReturnType<typeof createTime>;

export const SPEEDS = [1, 2, 5, 10, 15, 30] as const; // frames a second
export const MOST_STRIDE = 1000;
const KEPT = "time";

export function createTime(parts: TimeParts) {
  const { store, client, storage, clock, maker, decide, frames, jobs, codec, signal } = parts;
  const timeline = createTimeline({ store, client, clock, signal });
  const between = codec.interpolate ?? (async (from, to, shares) => shares.map((share) => interpolate(from, to, share)));
  const tracks = createTracks({ store, client, maker, timeline, encode: codec.encode, decode: codec.decode, interpolate: between });
  const { propagate } = createPropagate({ store, decide, jobs, timeline, tracks });
  const cameras = createCameras({ store, client, decode: codec.decode, clock, signal });
  const state = store.get;
  const look = (given: Partial<Look>): void => store.dispatch({ type: "look-changed", look: given });

  /** Masks were added somewhere: by a job, by another page, by another program. */
  function put(one: Put): void {
    timeline.put(one);
    cameras.touch();
  }

  async function toKeyframe(by: 1 | -1): Promise<void> {
    const [track, at] = [tracks.track(), state().frame?.ref?.frame_index];
    if (track === null || at === undefined) return;
    const index = await timeline.keyframeBeside(track, at, by);
    if (index !== null) await frames.goTo(index);
    else store.dispatch({ type: "noticed", notice: { id: "keyframe", kind: "note", text: text.time.noMoreKeyframes(track) } });
  }

  /** Go to what another camera saw at the step that is open, whatever its tile shows yet. */
  async function toCamera(camera: string): Promise<void> {
    const ref = state().frame?.ref;
    if (ref == null) return;
    const { dataset, episode, frame_index } = ref;
    const query = { dataset: [dataset], episode: [episode], camera: [camera], first_frame: frame_index, last_frame: frame_index };
    const answer = await client().call("list_frames", { query });
    const frame = answer.ok ? answer.value.items[0] : undefined;
    if (frame !== undefined) await frames.open(frame.id, frame);
  }

  /** Take the mask of a track on the open frame in hand, if it has one. */
  function showTrack(track: string | null): void {
    const ids = idsOfTrack(state(), track);
    if (ids.length > 0) store.dispatch({ type: "selected", ids: ids.slice(-1), how: "only" });
  }

  async function cancel(): Promise<void> {
    for (const job of state().jobs.filter(isRunning)) if (job.kind === "track") await jobs.cancel(job.id);
  }

  function ended(job: JobOut): void {
    const message = text.time.jobEnded(job);
    if (message !== null) store.dispatch({ type: "noticed", notice: { id: job.id, kind: job.state === "failed" ? "problem" : "note", text: message } });
    timeline.touch();
    void frames.again();
  }

  store.observe((event, before, after) => {
    if (event.type === "job-told" && event.job.kind === "track" && !isRunning(event.job)) {
      const known = before.jobs.find((one) => one.id === event.job.id);
      if (known !== undefined && isRunning(known)) ended(event.job);
    }
    if (likedOf(before).some((one, i) => one !== likedOf(after)[i])) keep(after);
  });

  function keep({ look: { isTimelineOpen, areCamerasShown }, time: { framesPerSecond, stride } }: State): void {
    const value = { isTimelineOpen, areCamerasShown, framesPerSecond, stride };
    void storage.write([{ area: "settings", key: KEPT, value }]).catch(() => undefined);
  }

  /** Begin: what somebody liked the last time, and the work that is under way. */
  async function start(): Promise<void> {
    const kept = (await storage.read("settings").catch(() => new Map<string, unknown>())).get(KEPT);
    if (typeof kept === "object" && kept !== null) restore(kept as { readonly [name: string]: unknown });
    await jobs.recall();
  }

  function restore(kept: { readonly [name: string]: unknown }): void {
    const { isTimelineOpen, areCamerasShown, framesPerSecond, stride } = kept;
    if (typeof isTimelineOpen === "boolean") look({ isTimelineOpen });
    if (typeof areCamerasShown === "boolean") look({ areCamerasShown });
    const time: { -readonly [name in keyof Time]?: Time[name] } = {};
    if (typeof framesPerSecond === "number" && framesPerSecond > 0) time.framesPerSecond = framesPerSecond;
    if (typeof stride === "number") time.stride = limitStride(stride);
    store.dispatch({ type: "time-changed", time });
  }

  const handlers: { readonly [id in ActionId]?: () => unknown } = {
    next_keyframe: () => toKeyframe(1),
    previous_keyframe: () => toKeyframe(-1),
    propagate_forward: () => propagate("forward"),
    propagate_back: () => propagate("back"),
    propagate_both: () => propagate("both"),
    cancel_propagation: cancel,
    split_track: tracks.split,
    untrack: tracks.takeOut,
    outside_here: tracks.outside,
    occluded_here: tracks.occluded,
    interpolate: tracks.between,
    show_timeline: () => look({ isTimelineOpen: !state().look.isTimelineOpen }),
    show_cameras: () => look({ areCamerasShown: !state().look.areCamerasShown }),
  };
  for (const [id, handler] of Object.entries(handlers)) parts.register(id as ActionId, handler);

  return { timeline, tracks, cameras, propagate, toCamera, showTrack, put, start };
}

const likedOf = ({ look, time }: State): readonly unknown[] => [look.isTimelineOpen, look.areCamerasShown, time.framesPerSecond, time.stride];

export const limitStride = (stride: number): number => Math.min(Math.max(Math.round(stride) || 1, 1), MOST_STRIDE);
