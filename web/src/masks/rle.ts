// COCO's compressed run lengths to patches and back, byte for byte as Python's `masks.encode` writes them: runs go down
// the columns, the first is of zeros, and each is 5 bits a character, from the third on as a difference.
// Decoding costs runs and the pixels of the box, never the pixels of the image.

import type { SizeHw } from "../geometry/coords";
import { columnEdges, fillDown } from "./bits";
import { MaskError } from "./errors";
import { emptyPatch, type Patch, type Rle } from "./patch";

const MAX_PIXELS = 2 ** 31 - 1;
const LAST_SHIFT = 30; // the seventh character of a run; COCO writes no eighth

/** Read one mask. Throws MaskError for counts that are not runs of an image of that size. */
export const decodeRle = (rle: Rle): Patch => decodeWith(rle, (length) => new Uint8Array(length));

/** Patches whose bitmaps share a few buffers, so that a worker hands them over without copying; and what failed. */
export type DecodedBatch = {
  readonly patches: readonly Patch[];
  readonly problems: readonly { readonly index: number; readonly message: string }[];
  readonly buffers: readonly ArrayBuffer[];
};

/** Read many masks. One that cannot be read becomes an empty patch and a problem; the others are not lost with it. */
export const decodeRles = (rles: readonly Rle[]): DecodedBatch => {
  const shelf = makeShelf();
  const problems: { index: number; message: string }[] = [];
  const patches = rles.map((rle, index) => {
    try {
      return decodeWith(rle, shelf.take);
    } catch (error) {
      if (!(error instanceof MaskError)) throw error;
      problems.push({ index, message: error.message });
      return emptyPatch(rle.size_hw);
    }
  });
  return { patches, problems, buffers: shelf.buffers };
};

/** Write one mask. */
export const encodeRle = (patch: Patch): Rle => ({ size_hw: patch.sizeHw, counts: writeRuns(runsOf(patch)) });

/** The run lengths down the columns of the whole image, zeros first; no run but the first is 0. */
export const runsOf = ({ sizeHw: [height, width], box, bits }: Patch): number[] => {
  const [left, top, right, bottom] = box;
  const { offsets, rows } = columnEdges(bits, right - left, bottom - top);
  const runs: number[] = [];
  let [start, end] = [0, 0]; // the run of ones not written yet; at first none, at the image's corner
  let written = 0;
  const write = (): void => {
    if (end === start) return;
    runs.push(start - written, end - start);
    written = end;
  };
  for (let x = 0; x < right - left; x += 1) {
    const column = (left + x) * height + top;
    for (let k = offsets[x]!; k < offsets[x + 1]!; k += 2) {
      const from = column + rows[k]!;
      if (from !== end || end === start) {
        write();
        start = from;
      }
      end = column + rows[k + 1]!;
    }
  }
  write();
  if (written < height * width) runs.push(height * width - written);
  return runs;
};

/** Write run lengths as COCO's characters. */
export const writeRuns = (runs: readonly number[]): string => {
  const codes = new Uint8Array(runs.length * 7);
  let length = 0;
  for (let i = 0; i < runs.length; i += 1) {
    let value = i > 2 ? runs[i]! - runs[i - 2]! : runs[i]!;
    for (let isMore = true; isMore;) {
      const low = value & 31;
      value >>= 5;
      isMore = (low & 16) === 0 ? value !== 0 : value !== -1;
      codes[length] = (isMore ? low | 32 : low) + 48;
      length += 1;
    }
  }
  let text = "";
  for (let i = 0; i < length; i += 8192) text += String.fromCharCode(...codes.subarray(i, Math.min(length, i + 8192)));
  return text;
};

let ends = new Int32Array(1 << 12);

/** Read the runs into `ends`, the pixel where each ends; return how many there are. */
const readRuns = (counts: string, numPixels: number): number => {
  let [runs, total, before, beforeThat] = [0, 0, 0, 0];
  for (let at = 0; at < counts.length;) {
    let [value, shift, code] = [0, 0, 0];
    do {
      code = at < counts.length ? counts.charCodeAt(at) - 48 : -1;
      if (code < 0 || code > 63 || shift > LAST_SHIFT) throw malformed(counts, at, shift);
      value |= (code & 31) << shift;
      at += 1;
      shift += 5;
    } while ((code & 32) !== 0);
    if ((code & 16) !== 0 && shift < 32) value |= -1 << shift;
    if (runs > 2) value += beforeThat;
    total += value;
    if (value < 0 || total > numPixels) throw notFitting(counts, numPixels);
    [beforeThat, before] = [before, value];
    if (runs === ends.length) ends = longer(ends);
    ends[runs] = total;
    runs += 1;
  }
  if (total !== numPixels) throw notFitting(counts, numPixels);
  return runs;
};

const decodeWith = (rle: Rle, take: (length: number) => Uint8Array): Patch => {
  const sizeHw = checkedSize(rle.size_hw);
  const height = sizeHw[0];
  const runs = readRuns(rle.counts, height * sizeHw[1]);
  let [x1, x2, y1, y2] = [-1, 0, height, 0];
  for (let k = 1; k < runs; k += 2) {
    const [start, end] = [ends[k - 1]!, ends[k]!];
    if (start === end) continue; // a run of nothing, which some writers leave
    const first = (start / height) | 0;
    const last = ((end - 1) / height) | 0;
    if (x1 < 0) x1 = first;
    x2 = last + 1;
    y1 = first === last ? Math.min(y1, start - first * height) : 0;
    y2 = first === last ? Math.max(y2, end - first * height) : height;
    if (first !== last) break;
  }
  if (x1 < 0) return emptyPatch(sizeHw);
  if (y1 === 0 && y2 === height) x2 = lastColumn(runs, height);
  const bits = take((x2 - x1) * (y2 - y1));
  markEdges(bits, runs, height, x1, x2 - x1, y1, y2);
  fillDown(bits, x2 - x1);
  return { sizeHw, box: [x1, y1, x2, y2], bits };
};

/**
 * The column after the last pixel; once a run has crossed a column's end, the box has every row and only this is
 * open.
 */
const lastColumn = (runs: number, height: number): number => {
  for (let k = runs % 2 === 0 ? runs - 1 : runs - 2; k > 0; k -= 2) {
    if (ends[k - 1]! < ends[k]!) return (((ends[k]! - 1) / height) | 0) + 1;
  }
  return 0;
};

const markEdges = (
  bits: Uint8Array,
  runs: number,
  height: number,
  x1: number,
  width: number,
  y1: number,
  y2: number,
): void => {
  for (let k = 1; k < runs; k += 2) {
    const [start, end] = [ends[k - 1]!, ends[k]!];
    if (start === end) continue;
    const first = (start / height) | 0;
    const last = ((end - 1) / height) | 0;
    const top = (start - first * height - y1) * width + first - x1;
    bits[top] = bits[top]! ^ 1;
    for (let x = first + 1; x <= last; x += 1) bits[x - x1] = bits[x - x1]! ^ 1; // goes on from the column's top
    const bottom = end - last * height;
    if (bottom < y2) {
      const at = (bottom - y1) * width + last - x1;
      bits[at] = bits[at]! ^ 1;
    }
  }
};

/** Hand out zeroed bitmaps from a few large buffers: cheaper to make and to hand over than thousands of small ones. */
const makeShelf = () => {
  const buffers: ArrayBuffer[] = [];
  let [buffer, used] = [new ArrayBuffer(0), 0];
  const take = (length: number): Uint8Array => {
    if (used + length > buffer.byteLength) {
      buffer = new ArrayBuffer(Math.max(length, SHELF_BYTES));
      buffers.push(buffer);
      used = 0;
    }
    const bits = new Uint8Array(buffer, used, length);
    used += length;
    return bits;
  };
  return { take, buffers };
};

const SHELF_BYTES = 1 << 22;

const checkedSize = (sizeHw: SizeHw): SizeHw => {
  const [height, width] = sizeHw;
  const isSize = [height, width].every((side) => Number.isInteger(side) && side > 0) && height * width <= MAX_PIXELS;
  if (isSize) return sizeHw;
  throw new MaskError(`a mask's size must be (height, width) of at least 1x1 and below 2^31 pixels, got ${sizeHw}`);
};

const longer = (array: Int32Array): Int32Array<ArrayBuffer> => {
  const copy = new Int32Array(array.length * 2);
  copy.set(array);
  return copy;
};

const malformed = (counts: string, at: number, shift: number): MaskError => {
  if (at >= counts.length)
    return new MaskError(`RLE counts must end with a finished run, got ${at} characters cut off within one`);
  if (shift > LAST_SHIFT)
    return new MaskError("RLE counts must have at most 7 characters a run, got a longer one. Are they COCO's?");
  return new MaskError(
    `RLE counts must be COCO's characters '0' to 'o', got ${JSON.stringify(counts[at])} at character ${at}`,
  );
};

const notFitting = (counts: string, numPixels: number): MaskError =>
  new MaskError(
    `RLE counts must be runs that add up to height x width = ${numPixels} pixels, got ${counts.length} characters ` +
      "that do not. Were they cut off, or made for another size?",
  );
