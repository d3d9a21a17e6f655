// What the event stream tells of masks that are new in the store: how many, and between which frames. Pure.

import type { FrameRef, SavedOut } from "../api/types";

type Ends<T> = readonly [T, T] | null;
export type Put = {
  readonly moment: number;
  readonly num_records: number;
  readonly dataset: Ends<string>;
  readonly episode: Ends<string>;
  readonly camera: Ends<string>;
  readonly frame_index: Ends<number>;
};

/** Whether some of it may be on a frame; a loose picture has no place, and may be meant wherever one is missing. */
export function mayBeOn(put: Put, ref: FrameRef | null): boolean {
  if (ref === null) return put.dataset === null || put.frame_index === null;
  return mayBeIn(put, ref) && within(put.frame_index, ref.frame_index);
}

/** Whether some of it may be in a recording. */
export const mayBeIn = (put: Put, { dataset, episode, camera }: Pick<FrameRef, "dataset" | "episode" | "camera">): boolean =>
  within(put.dataset, dataset) && within(put.episode, episode) && within(put.camera, camera);

const within = <T extends string | number>(ends: Ends<T>, value: T): boolean => ends === null || (ends[0] <= value && value <= ends[1]);

/** What this page has saved, by moment: of that it need not be told. Several people's masks may share a moment. */
export type Own = ReadonlyMap<number, ReadonlySet<string>>;

const MOST_MOMENTS = 200;

export function withOwn(own: Own, { moment, items }: SavedOut): Own {
  const ids = new Set([...(own.get(moment) ?? []), ...items.map((one) => one.record.id)]);
  const kept = [...own].filter(([known]) => known !== moment).slice(-MOST_MOMENTS);
  return new Map([...kept, [moment, ids]]);
}

export const isOwn = (own: Own, put: Put): boolean => own.get(put.moment)?.size === put.num_records;
