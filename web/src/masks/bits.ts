// Bitmaps of 0 and 1, row by row, and the few loops that all mask operations are made of. They read four pixels at a
// time through a DataView, which engines compile to one load whatever the alignment; that is what makes them fast.

import type { BoxXyxy, SizeHw } from "../geometry/coords";
import { emptyPatch, type Patch } from "./patch";

const viewOf = (bits: Uint8Array): DataView => new DataView(bits.buffer, bits.byteOffset, bits.byteLength);

/** Turn marks where columns change into the pixels between: each row becomes itself XOR the row above, from the top. */
export const fillDown = (bits: Uint8Array, width: number): void => {
  const length = bits.length;
  let i = width;
  if (width >= 4) {
    const view = viewOf(bits);
    for (; i + 4 <= length; i += 4) {
      view.setInt32(i, view.getInt32(i, true) ^ view.getInt32(i - width, true), true);
    }
  }
  for (; i < length; i += 1) bits[i] = bits[i]! ^ bits[i - width]!;
};

/** Count the pixels that are set. */
export const countBits = (bits: Uint8Array): number => {
  const view = viewOf(bits);
  const words = bits.length >> 2;
  let total = 0;
  for (let first = 0; first < words; first += 255) {
    const end = Math.min(words, first + 255); // 255 words fill the four byte-wide sums at most
    let sums = 0;
    for (let word = first; word < end; word += 1) sums = (sums + view.getInt32(word << 2, true)) | 0;
    total += (sums & 255) + ((sums >>> 8) & 255) + ((sums >>> 16) & 255) + (sums >>> 24);
  }
  for (let i = words << 2; i < bits.length; i += 1) total += bits[i]!;
  return total;
};

/** Where each column of a bitmap changes, from the top: the runs of column x are pairs of `rows` from `offsets[x]`. */
export type ColumnEdges = { readonly offsets: Int32Array; readonly rows: Int32Array };

export const columnEdges = (bits: Uint8Array, width: number, height: number): ColumnEdges => {
  const { xs, ys, count } = collectEdges(bits, width, height);
  const offsets = new Int32Array(width + 1);
  for (let k = 0; k < count; k += 1) offsets[xs[k]! + 1]! += 1;
  for (let x = 0; x < width; x += 1) offsets[x + 1]! += offsets[x]!;
  const next = offsets.slice(0, width);
  const rows = new Int32Array(count);
  for (let k = 0; k < count; k += 1) {
    const x = xs[k]!;
    rows[next[x]!] = ys[k]!; // rows were met from the top, so each column's are in order
    next[x]! += 1;
  }
  return { offsets, rows };
};

let scratchXs = new Int32Array(1 << 14);
let scratchYs = new Int32Array(1 << 14);

const collectEdges = (bits: Uint8Array, width: number, height: number) => {
  const view = viewOf(bits);
  let count = 0;
  for (let y = 0; y <= height; y += 1) {
    if (count + width > scratchXs.length) {
      scratchXs = doubled(scratchXs, count + width);
      scratchYs = doubled(scratchYs, count + width);
    }
    const row = Math.min(y, height - 1) * width;
    const above = y > 0 && y < height ? width : 0; // 0: the first and the last row stand against nothing
    let x = 0;
    for (; x + 4 <= width; x += 4) {
      let changed = view.getInt32(row + x, true);
      if (above !== 0) changed ^= view.getInt32(row + x - above, true);
      for (let i = x; changed !== 0; i += 1, changed >>>= 8) {
        if ((changed & 255) === 0) continue;
        scratchXs[count] = i;
        scratchYs[count] = y;
        count += 1;
      }
    }
    for (; x < width; x += 1) {
      if ((above === 0 ? 0 : bits[row + x - above]!) === bits[row + x]!) continue;
      scratchXs[count] = x;
      scratchYs[count] = y;
      count += 1;
    }
  }
  return { xs: scratchXs, ys: scratchYs, count };
};

const doubled = (scratch: Int32Array, least: number): Int32Array<ArrayBuffer> => {
  const longer = new Int32Array(Math.max(least, scratch.length * 2));
  longer.set(scratch);
  return longer;
};

/**
 * Make a patch of a bitmap and the box it covers: cut to the box around its pixels, copying only if that is
 * smaller.
 */
export const patchOf = (sizeHw: SizeHw, box: BoxXyxy, bits: Uint8Array): Patch => {
  const [left, top, right] = box;
  const width = right - left;
  const first = bits.indexOf(1);
  if (first < 0) return emptyPatch(sizeHw);
  const y1 = Math.floor(first / width);
  const y2 = Math.floor(bits.lastIndexOf(1) / width) + 1;
  const [x1, x2] = extentOfColumns(bits, width, y1, y2);
  if (x1 === 0 && y1 === 0 && x2 === width && y2 * width === bits.length) return { sizeHw, box, bits };
  const tight: BoxXyxy = [left + x1, top + y1, left + x2, top + y2];
  return { sizeHw, box: tight, bits: windowOf(bits, box, tight) };
};

const extentOfColumns = (bits: Uint8Array, width: number, y1: number, y2: number): readonly [number, number] => {
  let [x1, x2] = [width, 0];
  for (let y = y1; y < y2 && (x1 > 0 || x2 < width); y += 1) {
    const row = y * width;
    for (let x = 0; x < x1; x += 1) if (bits[row + x] === 1) x1 = x;
    for (let x = width - 1; x >= x2; x -= 1) if (bits[row + x] === 1) x2 = x + 1;
  }
  return [x1, x2];
};

/** Copy the part of a bitmap of `box` that lies in `window`; what the bitmap does not cover is 0. */
export const windowOf = (bits: Uint8Array, box: BoxXyxy, window: BoxXyxy): Uint8Array => {
  const out = new Uint8Array((window[2] - window[0]) * (window[3] - window[1]));
  eachSharedRow(box, window, (from, to, length) => out.set(bits.subarray(from, from + length), to));
  return out;
};

/** Visit the rows that two boxes share: where they start in the bitmap of each, and how long they are. */
export const eachSharedRow = (
  box: BoxXyxy,
  other: BoxXyxy,
  visit: (start: number, otherStart: number, length: number) => void,
): void => {
  const x1 = Math.max(box[0], other[0]);
  const y1 = Math.max(box[1], other[1]);
  const length = Math.min(box[2], other[2]) - x1;
  const y2 = Math.min(box[3], other[3]);
  if (length <= 0) return;
  const width = box[2] - box[0];
  const otherWidth = other[2] - other[0];
  for (let y = y1; y < y2; y += 1) {
    visit((y - box[1]) * width + x1 - box[0], (y - other[1]) * otherWidth + x1 - other[0], length);
  }
};
