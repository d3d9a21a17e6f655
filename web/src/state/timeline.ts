// The tracks of the open recording over time, as far as somebody looks: read from the server block by block, and again
// where something was put or decided. A cache beside the state, as pictures are; what waits to be sent shows on the open
// frame only. Other recordings are forgotten when they are left.

import type { Client } from "../api/client";
import type { Answer } from "../api/problem";
import type { FrameOut, LaneOut, Operations, SpanOut, SpansOut } from "../api/types";
import { spansOfFrame, withFrames, type Spans } from "../time/spans";
import type { Clock } from "../sync/sender";
import { mayBeIn, type Put } from "../sync/puts";
import type { Store } from "./store";
import type { State } from "./values";

export type Recording = { readonly dataset: string; readonly episode: string; readonly camera: string };
export type TimelineState = {
  readonly recording: Recording | null;
  /** The first and the last frame; null while nothing is known. */
  readonly ends: readonly [number, number] | null;
  readonly lanes: readonly LaneOut[];
  readonly spans: ReadonlyMap<string, Spans>;
  /** The track that is followed from frame to frame. */
  readonly track: string | null;
};

type SpansAsked = Operations["list_timeline_spans"]["query"];
export type Timeline = ReturnType<typeof createTimeline>;

const NOTHING: TimelineState = { recording: null, ends: null, lanes: [], spans: new Map(), track: null };
const BLOCK = 1024; // frames
const MOST_POINTS = 50_000; // on a page
const PATIENCE_MS = 250; // what happens in quick succession is read once

export function createTimeline(parts: { readonly store: Store; readonly client: () => Client; readonly clock: Clock; readonly signal: AbortSignal }) {
  const { store, client, clock, signal } = parts;
  let timeline = NOTHING;
  let reading = new AbortController();
  let wanted: readonly [number, number] | null = null;
  let isReading = false;
  /** Blocks that are read and still as they were. */
  let fresh = new Set<number>();
  let areLanesFresh = false;
  let isArriving = false;
  const told = new Set<(timeline: TimelineState) => void>();

  function set(next: Partial<TimelineState>): void {
    timeline = { ...timeline, ...next };
    told.forEach((run) => run(timeline));
  }

  function enter(frame: FrameOut | null): void {
    const recording = recordingOf(frame);
    if (isSame(recording, timeline.recording)) return;
    reading.abort();
    reading = new AbortController();
    [fresh, areLanesFresh, wanted] = [new Set(), false, null];
    set({ ...NOTHING, recording });
    if (recording !== null) void readOn();
  }

  /** Read what is not known of these frames, and keep it as it is at the server from now on. */
  function want(first: number, last: number): void {
    wanted = [first, last];
    void readOn();
  }

  /** Something changed on these frames, or somewhere. */
  function touch(first = -Infinity, last = Infinity): void {
    areLanesFresh = false;
    fresh = new Set([...fresh].filter((block) => (block + 1) * BLOCK <= first || block * BLOCK > last));
    void clock.wait(PATIENCE_MS, signal).then(readOn);
  }

  async function readOn(): Promise<void> {
    if (isReading || signal.aborted) return;
    isReading = true;
    try {
      while (timeline.recording !== null && (await readNext(timeline.recording, reading.signal)));
    } finally {
      isReading = false;
    }
  }

  /** Read one thing that is missing; false if nothing is, or the server does not answer now. */
  async function readNext(recording: Recording, stop: AbortSignal): Promise<boolean> {
    if (!areLanesFresh) {
      areLanesFresh = true;
      const answer = await client().call("get_timeline", { query: { ...recording }, signal: stop });
      if (stop.aborted) return true;
      if (!answer.ok) return (areLanesFresh = false);
      const { first_frame: first, last_frame: last, items } = answer.value;
      set({ ends: first === null || last === null ? null : [first, last], lanes: items });
      return true;
    }
    const block = missing();
    if (block === null) return false;
    fresh.add(block);
    const items = await readSpans(recording, block * BLOCK, (block + 1) * BLOCK - 1, stop);
    if (stop.aborted) return true;
    if (items === null) return !fresh.delete(block);
    set({ spans: withFrames(timeline.spans, block * BLOCK, (block + 1) * BLOCK - 1, items) });
    return true;
  }

  function missing(): number | null {
    if (wanted === null) return null;
    const [first, last] = wanted.map((frame) => Math.floor(frame / BLOCK)) as [number, number];
    for (let block = first; block <= last; block++) if (!fresh.has(block)) return block;
    return null;
  }

  async function readSpans(recording: Recording, first: number, last: number, stop: AbortSignal): Promise<readonly SpanOut[] | null> {
    const items: SpanOut[] = [];
    let cursor: string | null = null;
    do {
      const query: SpansAsked = { ...recording, first_frame: first, last_frame: last, limit: MOST_POINTS, cursor };
      const answer: Answer<SpansOut> = await client().call("list_timeline_spans", { query, signal: stop });
      if (!answer.ok) return null;
      items.push(...answer.value.items);
      cursor = answer.value.next_cursor;
    } while (cursor !== null);
    return items;
  }

  /** The keyframe of a track next to a frame, on the side of `by`, as the server has it; null where there is none. */
  async function keyframeBeside(track: string, frame: number, by: 1 | -1): Promise<number | null> {
    const { recording } = timeline;
    if (recording === null) return null;
    // The nearest are looked at first; a way without keyframes is long.
    for (let near = 1, width = BLOCK; ; near += width, width *= 4) {
      const [a, b] = [frame + by * near, frame + by * (near + width - 1)];
      const [first, last] = by > 0 ? [a, b] : [Math.max(b, 0), a];
      if (last < 0 || first > (timeline.ends?.[1] ?? first)) return null;
      const query = { ...recording, track: [track], first_frame: first, last_frame: last, limit: MOST_POINTS };
      const answer = await client().call("list_timeline_spans", { query });
      if (!answer.ok) return null;
      const found = answer.value.items.filter((one) => one.is_keyframe);
      if (found.length > 0) return by > 0 ? Math.min(...found.map((one) => one.first)) : Math.max(...found.map((one) => one.last));
    }
  }

  /** Masks were added somewhere. */
  function put(one: Put): void {
    const { recording } = timeline;
    if (recording !== null && mayBeIn(one, recording)) touch(...(one.frame_index ?? []));
  }

  function follow(track: string | null): void {
    if (track !== timeline.track) set({ track });
  }

  store.observe((event, before, after) => {
    if (after.frame !== before.frame) enter(after.frame);
    if (after.frame?.id !== before.frame?.id) isArriving = true;
    if (event.type === "selected") {
      isArriving = false;
      follow(trackOf(after));
    }
    if (event.type === "log-followed") {
      const index = after.frame?.ref?.frame_index;
      if (before.masks.has(event.logged.event.record_id) && index !== undefined) touch(index, index);
      else touch();
    }
    if (event.type === "link-changed" && event.link.isFollowing === true) touch(); // what came meanwhile was not told
    // What was chosen on the frame before is chosen on this one, once its masks are told: first as they were, then as they are.
    if (event.type === "records-told" && isArriving && after.selection.length === 0) {
      const ids = idsOfTrack(after, timeline.track);
      if (ids.length > 0) store.dispatch({ type: "selected", ids: ids.slice(-1), how: "only" });
    }
  });

  return {
    get: (): TimelineState => timeline,
    subscribe: (run: (timeline: TimelineState) => void): (() => void) => {
      told.add(run);
      run(timeline);
      return () => void told.delete(run);
    },
    ...{ want, touch, put, follow, keyframeBeside },
  };
}

export const recordingOf = (frame: FrameOut | null): Recording | null =>
  frame?.ref == null ? null : { dataset: frame.ref.dataset, episode: frame.ref.episode, camera: frame.ref.camera };

const isSame = (a: Recording | null, b: Recording | null): boolean =>
  a?.dataset === b?.dataset && a?.episode === b?.episode && a?.camera === b?.camera;

const trackOf = ({ selection, masks }: State): string | null => masks.get(selection.at(-1) ?? "")?.view.record.track ?? null;

/** The masks of a track on the open frame that are listed. */
export const idsOfTrack = ({ masks }: State, track: string | null): readonly string[] =>
  track === null
    ? []
    : [...masks.values()]
        .filter(({ view }) => view.record.track === track && (view.status === "proposed" || view.status === "accepted"))
        .map(({ view }) => view.record.id);

/** The spans with the open frame as it is now, also what waits to be sent. */
export function spansNow({ spans }: TimelineState, state: State): ReadonlyMap<string, Spans> {
  const index = state.frame?.ref?.frame_index;
  if (index === undefined || !state.isFrameLoaded) return spans;
  return withFrames(spans, index, index, spansOfFrame(index, [...state.masks.values()].map((one) => one.view)));
}
