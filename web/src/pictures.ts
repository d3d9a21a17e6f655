// Pictures of frames as they are looked at: the open one, its neighbours made ready, and small ones for the film strip.
// A few whole pictures are kept; the small ones cost little and stay.

import type { Client } from "./api/client";
import type { Problem } from "./api/problem";
import type { FrameOut } from "./api/types";
import { MAX_WHOLE, readPicture, type Picture } from "./draw/picture";

export type Pictures = {
  /** The picture of a frame; the problem if the server or the browser has none. */
  readonly open: (frame: string) => Promise<Picture | Problem>;
  /** Make one ready that is probably looked at next. Large ones are not: they would drive out the one that is looked at. */
  readonly ahead: (frame: Pick<FrameOut, "id" | "size_hw">) => void;
  /** At most so wide; null where it cannot be shown. One after the other, the last asked for first. */
  readonly small: (frame: string) => Promise<ImageBitmap | null>;
  readonly ready: (frame: string) => Picture | null;
};

export const SMALL_WIDTH = 128;
const MOST_WHOLE = 6;
const MOST_PIXELS = 96_000_000; // 4 bytes each: two of 48 megapixels, or six of 16
const MOST_SMALL = 300;

export function createPictures(client: Client): Pictures {
  const whole = new Map<string, Promise<Picture | Problem>>();
  const done = new Map<string, Picture>();
  const small = new Map<string, Promise<ImageBitmap | null>>();
  const queue: (() => Promise<void>)[] = [];
  let isBusy = false;

  function open(frame: string): Promise<Picture | Problem> {
    const found = whole.get(frame) ?? read(frame);
    whole.delete(frame);
    whole.set(frame, found);
    for (const oldest of [...whole.keys()].slice(0, Math.max(whole.size - MOST_WHOLE, 0))) forget(oldest);
    return found;
  }

  async function read(frame: string): Promise<Picture | Problem> {
    const answer = await client.call("get_frame_picture", { path: { frame }, query: { format: "jpeg" } });
    if (!answer.ok) {
      whole.delete(frame); // the next time it may be there
      return answer.problem;
    }
    try {
      const picture = await readPicture(answer.value);
      if (whole.has(frame)) done.set(frame, picture);
      trim();
      return picture;
    } catch {
      whole.delete(frame);
      return { kind: "refused", status: 0, code: "", message: "" };
    }
  }

  const pixels = (): number => [...done.values()].reduce((sum, { sizeHw: [high, wide] }) => sum + high * wide, 0);

  /** Large pictures go sooner than small ones; the one that was opened last stays. */
  function trim(): void {
    const last = [...whole.keys()].at(-1);
    for (const frame of [...whole.keys()]) {
      if (pixels() <= MOST_PIXELS) return;
      if (frame !== last && done.has(frame)) forget(frame);
    }
  }

  function ahead({ id, size_hw: [high, wide] }: Pick<FrameOut, "id" | "size_hw">): void {
    if (high * wide <= MAX_WHOLE) void open(id);
  }

  function forget(frame: string): void {
    const held = whole.get(frame);
    whole.delete(frame);
    done.delete(frame);
    void held?.then((picture) => "close" in picture && picture.close());
  }

  function smallOf(frame: string): Promise<ImageBitmap | null> {
    const known = small.get(frame);
    if (known !== undefined) return known;
    const made = new Promise<ImageBitmap | null>((resolve) => {
      queue.push(async () => resolve(await shrink(frame)));
      void work();
    });
    small.set(frame, made);
    for (const oldest of [...small.keys()].slice(0, Math.max(small.size - MOST_SMALL, 0))) small.delete(oldest);
    return made;
  }

  async function shrink(frame: string): Promise<ImageBitmap | null> {
    try {
      const near = done.get(frame);
      if (near !== undefined) return await createImageBitmap(near.overview, { resizeWidth: SMALL_WIDTH, resizeQuality: "medium" });
      const answer = await client.call("get_frame_picture", { path: { frame }, query: { format: "jpeg", width: SMALL_WIDTH } });
      if (answer.ok) return await createImageBitmap(answer.value);
    } catch {
      return null; // the frame itself will tell
    }
    small.delete(frame);
    return null;
  }

  async function work(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) await next();
    isBusy = false;
  }
  return { open, ahead, small: smallOf, ready: (frame) => done.get(frame) ?? null };
}
