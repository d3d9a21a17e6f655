// Going from frame to frame: the list, the open frame's masks, and those that come next made ready at the server.

import type { Client } from "../api/client";
import type { FrameOut } from "../api/types";
import type { Drafts } from "../sync/drafts";
import { text } from "../text";
import type { Store } from "./store";
import type { Ahead } from "./ahead";
import { frameBeside } from "./select";

export type Frames = ReturnType<typeof createFrames>;
export type FrameFilter = { readonly dataset?: string; readonly episode?: string; readonly camera?: string };

const PAGE = 200;
const LONG_PAGE = 1000;
const MOST_PAGES = 20; // that are read to have a frame in the list; farther on one goes without

export function createFrames(parts: {
  readonly store: Store;
  readonly client: () => Client;
  readonly drafts: Drafts;
  readonly ahead: Ahead;
  readonly newId: () => string;
}) {
  const { store, client, drafts, ahead, newId } = parts;
  let opening = new AbortController();
  let opened: Promise<void> = Promise.resolve();
  let filter: FrameFilter = {};

  function notice(id: string, message: string): void {
    store.dispatch({ type: "noticed", notice: { id, kind: "problem", text: message } });
  }

  /** Read the list anew: all frames, or those of a recording. */
  async function list(wanted: FrameFilter = {}): Promise<void> {
    filter = wanted;
    await page(null);
  }

  /** Read the next page of the list, if there is one. */
  async function more(limit = PAGE): Promise<boolean> {
    const cursor = store.get().frames.nextCursor;
    return cursor !== null && page(cursor, limit);
  }

  /** Read the list again, as far as it was: frames were added. */
  async function again(): Promise<void> {
    const length = store.get().frames.items.length;
    await page(null, Math.min(Math.max(length, PAGE), LONG_PAGE));
    while (store.get().frames.items.length < length && (await more(LONG_PAGE)));
  }

  async function page(cursor: string | null, limit = PAGE): Promise<boolean> {
    const names = Object.fromEntries(Object.entries(filter).map(([name, value]) => [name, [value]]));
    const answer = await client().call("list_frames", { query: { ...names, limit, ...(cursor === null ? {} : { cursor }) } });
    if (!answer.ok) notice("frames", text.problem(answer.problem));
    else store.dispatch({ type: "frames-told", items: answer.value.items, nextCursor: answer.value.next_cursor, isFirst: cursor === null });
    return answer.ok;
  }

  /** Open a frame. Only the last that was asked for is opened. */
  function open(id: string, seen?: FrameOut): Promise<void> {
    opened = load(id, seen);
    return opened;
  }

  async function load(id: string, seen?: FrameOut): Promise<void> {
    opening.abort();
    opening = new AbortController();
    const { signal } = opening;
    const known = seen ?? store.get().frames.items.find((one) => one.id === id);
    const [told, records] = [
      client().call("open_frame", { path: { frame: id }, query: { ahead: 3 }, signal }),
      client().call("list_frame_records", { path: { frame: id }, query: { status: "any" }, signal }),
    ];
    if (known !== undefined) showAtOnce(known);
    const opened = await told;
    if (signal.aborted) return;
    if (opened.ok) store.dispatch({ type: "frame-opened", frame: opened.value.frame });
    else if (known === undefined) return notice("frame", text.problem(opened.problem));
    const answer = await records;
    if (signal.aborted) return;
    if (answer.ok) store.dispatch({ type: "records-told", frame: id, items: answer.value.items, covers: [] });
    else notice("frame", text.problem(answer.problem));
    await restoreHand(store.get().frame);
    if (!signal.aborted) prepareBeside();
  }

  function showAtOnce(frame: FrameOut): void {
    store.dispatch({ type: "frame-opened", frame });
    const ready = ahead.take(frame.id);
    if (ready === null) return;
    store.dispatch({ type: "records-told", frame: frame.id, items: ready.items, covers: [] });
    store.dispatch({ type: "patches-made", items: ready.patches });
  }

  function prepareBeside(): void {
    for (const by of [1, -1]) {
      const frame = frameBeside(store.get(), by);
      if (frame !== null) ahead.prepare(frame);
    }
  }

  async function restoreHand(frame: FrameOut | null): Promise<void> {
    if (frame === null) return;
    const hand = await drafts.find(frame);
    if (hand === null || store.get().frame?.id !== frame.id || store.get().hand !== null) return;
    store.dispatch({ type: "hand-taken", hand });
    store.dispatch({ type: "noticed", notice: { id: newId(), kind: "note", text: text.restoredHand } });
  }

  /** Find a frame of the open recording by its number; where there is none, the next on the way. */
  async function find(index: number, way: 1 | -1): Promise<FrameOut | null> {
    const here = store.get().frame?.ref;
    if (here == null) return null;
    const isIt = ({ ref }: FrameOut): boolean =>
      ref?.frame_index === index && ref.dataset === here.dataset && ref.episode === here.episode && ref.camera === here.camera;
    const known = store.get().frames.items.find(isIt);
    if (known !== undefined) return known;
    const recording = { dataset: [here.dataset], episode: [here.episode], camera: [here.camera] };
    const onward = { first_frame: Math.max(index, 0), limit: 1 };
    const back = { first_frame: Math.max(index - LONG_PAGE + 1, 0), last_frame: Math.max(index, 0), limit: LONG_PAGE };
    const answer = await client().call("list_frames", { query: { ...recording, ...(way > 0 ? onward : back) } });
    return answer.ok ? (answer.value.items.at(-1) ?? null) : null;
  }

  /** Go to a frame of the open recording by its number. The list is read on until it has it, so that steps go on there. */
  async function goTo(index: number, way: 1 | -1 = 1): Promise<boolean> {
    const frame = await find(index, way);
    if (frame === null) return false;
    const isListed = (): boolean => store.get().frames.items.some((one) => one.id === frame.id);
    if (frame.id !== store.get().frame?.id) await open(frame.id, frame);
    for (let pages = 0; pages < MOST_PAGES && !isListed() && store.get().frame?.id === frame.id && (await more(LONG_PAGE)); pages++);
    return true;
  }

  /** Go so many frames on or back; the list is read on where it ends. */
  async function step(by: number): Promise<boolean> {
    const { items } = store.get().frames;
    const place = items.findIndex((one) => one.id === store.get().frame?.id);
    const here = store.get().frame?.ref;
    if (place < 0 && here != null) return goTo(here.frame_index + by, by > 0 ? 1 : -1);
    if (place + by >= items.length && (await more())) return step(by);
    const frame = frameBeside(store.get(), by);
    if (frame === null) return false;
    await open(frame.id);
    return true;
  }

  /** Go to the next frame, or the last one before, on which something waits for a decision. */
  async function stepUnfinished(by: 1 | -1): Promise<boolean> {
    const { items } = store.get().frames;
    const place = items.findIndex((one) => one.id === store.get().frame?.id);
    const waits = (one: FrameOut): boolean => (one.num_masks.proposed ?? 0) > 0;
    const found = by > 0 ? items.slice(place + 1).find(waits) : items.slice(0, Math.max(place, 0)).findLast(waits);
    if (found !== undefined) {
      await open(found.id);
      return true;
    }
    if (by > 0 && (await more())) return stepUnfinished(by);
    store.dispatch({ type: "noticed", notice: { id: "finished", kind: "note", text: text.nothingLeft } });
    return false;
  }
  /** The masks of the frame that is being opened are there. */
  const settled = (): Promise<void> => opened;
  return { list, more, again, open, settled, goTo, step, stepUnfinished };
}
