// Sets of pixels: area, union, difference, intersection, XOR, intersection over union, and where a mask lies.
// Everything runs on the boxes; masks of different images are an error. Every patch that comes out is cut to its
// pixels.

import {
  boxArea,
  clipBox,
  imageBox,
  intersectBoxes,
  isEmptyBox,
  isInBox,
  isSameBox,
  translateBox,
  uniteBoxes,
} from "../geometry/boxes";
import type { BoxXyxy, ImagePoint, SizeHw } from "../geometry/coords";
import { countBits, eachSharedRow, patchOf, windowOf } from "./bits";
import { MaskError } from "./errors";
import { emptyPatch, type Patch } from "./patch";

export const area = (patch: Patch): number => countBits(patch.bits);

export const isEmpty = (patch: Patch): boolean => isEmptyBox(patch.box) || !patch.bits.includes(1);

/** Whether two masks of one image have the same pixels. */
export const isSame = (patch: Patch, other: Patch): boolean => {
  if (patch === other) return true;
  const [a, b] = [tight(patch), tight(other)];
  return isSameBox(a.box, b.box) && a.bits.every((bit, i) => bit === b.bits[i]);
};

/** Whether the pixel under a point belongs to the mask. */
export const contains = ({ box, bits }: Patch, point: ImagePoint): boolean =>
  isInBox(box, point) && bits[(Math.floor(point.y) - box[1]) * (box[2] - box[0]) + Math.floor(point.x) - box[0]] === 1;

/** Cut the bitmap to its pixels; the patch itself, if it is. */
export const tight = (patch: Patch): Patch => patchOf(patch.sizeHw, patch.box, patch.bits);

/** The mask of every pixel of a box. */
export const boxPatch = (sizeHw: SizeHw, box: BoxXyxy): Patch => {
  const inside = clipBox(box, sizeHw);
  if (isEmptyBox(inside)) return emptyPatch(sizeHw);
  return { sizeHw, box: inside, bits: new Uint8Array(boxArea(inside)).fill(1) };
};

export const union = (patch: Patch, other: Patch): Patch => {
  checkSizes(patch, other);
  if (isEmptyBox(other.box)) return patch;
  if (isEmptyBox(patch.box)) return other;
  const box = uniteBoxes(patch.box, other.box);
  const bits = windowOf(patch.bits, patch.box, box);
  combine(bits, box, other, addRow);
  return patchOf(patch.sizeHw, box, bits);
};

export const unionAll = (sizeHw: SizeHw, patches: readonly Patch[]): Patch => {
  const box = patches.reduce<BoxXyxy>((all, patch) => uniteBoxes(all, patch.box), [0, 0, 0, 0]);
  const bits = new Uint8Array(boxArea(box));
  for (const patch of patches) {
    checkSizes(patch, { sizeHw });
    combine(bits, box, patch, addRow);
  }
  return patchOf(sizeHw, box, bits);
};

/** The pixels of the first that are not in the second. */
export const difference = (patch: Patch, minus: Patch): Patch => {
  checkSizes(patch, minus);
  if (isEmptyBox(intersectBoxes(patch.box, minus.box))) return patch;
  const bits = patch.bits.slice();
  combine(bits, patch.box, minus, removeRow);
  return patchOf(patch.sizeHw, patch.box, bits);
};

export const intersection = (patch: Patch, other: Patch): Patch => {
  checkSizes(patch, other);
  const box = intersectBoxes(patch.box, other.box);
  if (isEmptyBox(box)) return emptyPatch(patch.sizeHw);
  const bits = windowOf(patch.bits, patch.box, box);
  combine(bits, box, other, keepRow);
  return patchOf(patch.sizeHw, box, bits);
};

/** The pixels that exactly one of the two has: where they disagree. */
export const exclusion = (patch: Patch, other: Patch): Patch => {
  checkSizes(patch, other);
  const box = uniteBoxes(patch.box, other.box);
  const bits = windowOf(patch.bits, patch.box, box);
  combine(bits, box, other, flipRow);
  return patchOf(patch.sizeHw, box, bits);
};

/** The rest of the image. */
export const complement = (patch: Patch): Patch => difference(boxPatch(patch.sizeHw, imageBox(patch.sizeHw)), patch);

export const sharedArea = (patch: Patch, other: Patch): number => {
  checkSizes(patch, other);
  let shared = 0;
  eachSharedRow(patch.box, other.box, (start, otherStart, length) => {
    for (let i = 0; i < length; i += 1) shared += patch.bits[start + i]! & other.bits[otherStart + i]!;
  });
  return shared;
};

/** Intersection over union; two empty masks have 0, as in COCO. */
export const iou = (patch: Patch, other: Patch): number => {
  const shared = sharedArea(patch, other);
  const joined = area(patch) + area(other) - shared;
  return joined > 0 ? shared / joined : 0;
};

/** Move by whole pixels; what leaves the image is cut off. */
export const translate = (patch: Patch, dx: number, dy: number): Patch => {
  const moved = translateBox(patch.box, dx, dy);
  const box = clipBox(moved, patch.sizeHw);
  if (isEmptyBox(box)) return emptyPatch(patch.sizeHw);
  if (isSameBox(box, moved)) return { ...patch, box };
  return patchOf(patch.sizeHw, box, windowOf(patch.bits, moved, box));
};

/** Keep the part inside a box of whole pixels. */
export const cropTo = (patch: Patch, box: BoxXyxy): Patch => {
  const shared = intersectBoxes(patch.box, box);
  if (isEmptyBox(shared)) return emptyPatch(patch.sizeHw);
  if (isSameBox(shared, patch.box)) return patch;
  return patchOf(patch.sizeHw, shared, windowOf(patch.bits, patch.box, shared));
};

type RowRule = (bits: Uint8Array, start: number, other: Uint8Array, otherStart: number, length: number) => void;

const addRow: RowRule = (bits, start, other, otherStart, length) => {
  for (let i = 0; i < length; i += 1) bits[start + i] = bits[start + i]! | other[otherStart + i]!;
};

const removeRow: RowRule = (bits, start, other, otherStart, length) => {
  for (let i = 0; i < length; i += 1) bits[start + i] = bits[start + i]! & (other[otherStart + i]! ^ 1);
};

const keepRow: RowRule = (bits, start, other, otherStart, length) => {
  for (let i = 0; i < length; i += 1) bits[start + i] = bits[start + i]! & other[otherStart + i]!;
};

const flipRow: RowRule = (bits, start, other, otherStart, length) => {
  for (let i = 0; i < length; i += 1) bits[start + i] = bits[start + i]! ^ other[otherStart + i]!;
};

/** Change a bitmap of `box` where another mask has a bitmap; a call a row, so that the loop over pixels stays plain. */
const combine = (bits: Uint8Array, box: BoxXyxy, { box: otherBox, bits: other }: Patch, rule: RowRule): void =>
  eachSharedRow(box, otherBox, (start, otherStart, length) => rule(bits, start, other, otherStart, length));

const checkSizes = (patch: Pick<Patch, "sizeHw">, other: Pick<Patch, "sizeHw">): void => {
  const [[height, width], [otherHeight, otherWidth]] = [patch.sizeHw, other.sizeHw];
  if (height === otherHeight && width === otherWidth) return;
  throw new MaskError(
    `masks must have one size (height x width), got ${height}x${width}, ${otherHeight}x${otherWidth}`,
  );
};
