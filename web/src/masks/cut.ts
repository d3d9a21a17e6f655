// Cut a mask in two along a drawn line, without losing a pixel: pixels stay together if they touch and the line does
// not pass between their centres. A line that does not go all the way through cuts nothing.

import { imagePoint, type BoxXyxy, type ImagePoint } from "../geometry/coords";
import { segmentsCross } from "../geometry/segments";
import { area, unionAll } from "./algebra";
import { patchOf } from "./bits";
import { islands } from "./islands";
import type { Patch } from "./patch";

// A line through the very centres of pixels has them on neither side; moved by a hair, it has none.
const HAIR = [1.3e-6, 0.7e-6] as const;

/**
 * The pieces of a mask, cut along a path: first what remains, which is the largest part of each island and the
 * islands that the path missed, then each part that came off, largest first. One piece, the mask itself, if nothing
 * was cut through.
 */
export const cut = (patch: Patch, path: readonly ImagePoint[]): readonly Patch[] => {
  const line = path.map(({ x, y }) => imagePoint(x + HAIR[0], y + HAIR[1]));
  const [kept, off]: [Patch[], Patch[]] = [[], []];
  for (const island of islands(patch)) {
    const [largest, ...others] = piecesApart(island, line);
    kept.push(largest!);
    off.push(...others);
  }
  if (off.length === 0) return [patch];
  return [unionAll(patch.sizeHw, kept), ...off.sort((a, b) => area(b) - area(a))];
};

/** Flood the pieces of an island from pixel to pixel, never across the line. */
const piecesApart = ({ sizeHw, box, bits }: Patch, line: readonly ImagePoint[]): Patch[] => {
  const isApart = crossings(line, box);
  const left = bits.slice(); // pixels that belong to no piece yet
  const pieces: { size: number; patch: Patch }[] = [];
  for (let seed = left.indexOf(1); seed >= 0; seed = left.indexOf(1, seed)) {
    const piece = new Uint8Array(bits.length);
    const size = flood(left, piece, seed, box[2] - box[0], isApart);
    pieces.push({ size, patch: patchOf(sizeHw, box, piece) });
  }
  return pieces.sort((a, b) => b.size - a.size).map((piece) => piece.patch);
};

/** Move the pixels that hang together with one from a bitmap to another, and count them. */
const flood = (from: Uint8Array, to: Uint8Array, seed: number, width: number, isApart: Apart): number => {
  const open = [seed];
  from[seed] = 0;
  let size = 0;
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    to[at] = 1;
    size += 1;
    const x = at % width;
    const [first, last] = [x > 0 ? -1 : 0, x < width - 1 ? 1 : 0];
    for (let row = at - width; row <= at + width; row += width) {
      for (let next = row + first; next <= row + last; next += 1) {
        if (from[next] !== 1 || isApart(at, next)) continue; // beyond the first and the last row there is nothing
        from[next] = 0;
        open.push(next);
      }
    }
  }
  return size;
};

type Apart = (pixel: number, other: number) => boolean;

/** Whether the line passes between two neighbours of a bitmap; only pixels beside the line are looked at closely. */
const crossings = (line: readonly ImagePoint[], box: BoxXyxy): Apart => {
  const width = box[2] - box[0];
  const isNear = new Uint8Array(width * (box[3] - box[1]));
  const near = new Map<number, [ImagePoint, ImagePoint][]>();
  for (let i = 1; i < line.length; i += 1) {
    const [a, b] = [line[i - 1]!, line[i]!];
    for (const pixel of pixelsBeside(a, b, box)) {
      isNear[pixel] = 1;
      const segments = near.get(pixel);
      if (segments === undefined) near.set(pixel, [[a, b]]);
      else segments.push([a, b]);
    }
  }
  const centre = (pixel: number): ImagePoint =>
    imagePoint(box[0] + (pixel % width) + 0.5, box[1] + Math.floor(pixel / width) + 0.5);
  return (pixel, other) =>
    isNear[pixel] === 1 && near.get(pixel)!.some(([a, b]) => segmentsCross(a, b, centre(pixel), centre(other)));
};

/** The pixels of a box within two pixels of a segment, row by row. */
const pixelsBeside = (a: ImagePoint, b: ImagePoint, [x1, y1, x2, y2]: BoxXyxy): number[] => {
  const pixels: number[] = [];
  const [low, high] = a.y < b.y ? [a, b] : [b, a];
  const xAt = (y: number): number => {
    const share = high.y === low.y ? 0 : Math.min(1, Math.max(0, (y - low.y) / (high.y - low.y)));
    return low.x + (high.x - low.x) * share;
  };
  const level = high.y - low.y < 1e-9;
  for (let y = Math.max(y1, Math.floor(low.y) - 2); y < Math.min(y2, Math.ceil(high.y) + 2); y += 1) {
    const ends = level ? [a.x, b.x] : [xAt(y - 1), xAt(y + 2)];
    const from = Math.max(x1, Math.floor(Math.min(...ends)) - 2);
    const to = Math.min(x2, Math.ceil(Math.max(...ends)) + 2);
    for (let x = from; x < to; x += 1) pixels.push((y - y1) * (x2 - x1) + x - x1);
  }
  return pixels;
};
