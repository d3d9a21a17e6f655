// What tests of masks share: seeded randomness, pictures as text, random masks, and the vectors from Python.

import { boxArea, isEmptyBox } from "../geometry/boxes";
import { imagePoint, type ImagePoint, type SizeHw } from "../geometry/coords";
import type { Island, Polygons } from "../geometry/rings";
import goldens from "../../../tests/golden/web_masks.json";
import { patchOf } from "./bits";
import type { Patch, Rle } from "./patch";

export type Random = { readonly unit: () => number; readonly below: (limit: number) => number };

/** Numbers that are the same in every run (mulberry32). */
export const seeded = (seed: number): Random => {
  let state = seed >>> 0;
  const unit = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return { unit, below: (limit) => Math.floor(unit() * limit) };
};

/** Run a test body with many seeds; a failure names its seed. */
export const eachSeed = (count: number, body: (random: Random) => void): void => {
  for (let seed = 1; seed <= count; seed += 1) {
    try {
      body(seeded(seed));
    } catch (error) {
      throw new Error(`failed with seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
};

/** Read a mask from a picture of dots and hashes. */
export const drawing = (text: string): Patch => {
  const rows = text.trim().split(/\s+/);
  const sizeHw: SizeHw = [rows.length, rows[0]!.length];
  return patchOf(
    sizeHw,
    [0, 0, sizeHw[1], sizeHw[0]],
    Uint8Array.from(rows.join(""), (mark) => (mark === "#" ? 1 : 0)),
  );
};

/** Draw a whole image's mask as rows of dots and hashes. */
export const drawn = (patch: Patch): string => {
  const [height, width] = patch.sizeHw;
  const full = dense(patch);
  return Array.from({ length: height }, (_, y) =>
    Array.from(full.subarray(y * width, (y + 1) * width), (bit) => (bit === 1 ? "#" : ".")).join(""),
  ).join("\n");
};

/** Every pixel of the image, the slow and plain way. */
export const dense = ({ sizeHw: [height, width], box, bits }: Patch): Uint8Array => {
  const full = new Uint8Array(height * width);
  for (let y = box[1]; y < box[3]; y += 1) {
    for (let x = box[0]; x < box[2]; x += 1) {
      full[y * width + x] = bits[(y - box[1]) * (box[2] - box[0]) + x - box[0]]!;
    }
  }
  return full;
};

/** Noise, or a few discs, in a part of a small image; sometimes empty, sometimes full. */
export const randomPatch = (random: Random, sizeHw: SizeHw = [1 + random.below(24), 1 + random.below(24)]): Patch => {
  const [height, width] = sizeHw;
  const density = [0, 0.2, 0.5, 0.8, 1][random.below(5)]!;
  const [cx, cy, radius] = [random.unit() * width, random.unit() * height, random.unit() * width];
  const isDisc = random.below(2) === 0;
  const bits = new Uint8Array(height * width).map((_, i) => {
    const isNear = Math.hypot((i % width) + 0.5 - cx, Math.floor(i / width) + 0.5 - cy) < radius;
    return (isDisc ? isNear : isNear && random.unit() < density) ? 1 : 0;
  });
  return patchOf(sizeHw, [0, 0, width, height], bits);
};

export const randomPoint = (random: Random, [height, width]: SizeHw): ImagePoint =>
  imagePoint(random.unit() * (width + 8) - 4, random.unit() * (height + 8) - 4);

/**
 * Whether a patch keeps its promises: a bitmap as large as its box, inside the image, no empty border, zeros and
 * ones.
 */
export const isSound = ({ sizeHw: [height, width], box, bits }: Patch): boolean => {
  if (isEmptyBox(box)) return bits.length === 0 && box.every((side) => side === 0);
  const [x1, y1, x2, y2] = box;
  const across = x2 - x1;
  const column = (x: number): number[] => Array.from({ length: y2 - y1 }, (_, y) => bits[y * across + x]!);
  const sides = [[...bits.subarray(0, across)], [...bits.subarray(-across)], column(0), column(across - 1)];
  const isInside = x1 >= 0 && y1 >= 0 && x2 <= width && y2 <= height;
  return (
    isInside && bits.length === boxArea(box) && bits.every((bit) => bit <= 1) && sides.every((side) => side.includes(1))
  );
};

export type MaskCase = {
  readonly name: string;
  readonly rle: Rle;
  readonly area: number;
  readonly box: readonly number[];
  readonly islands: readonly (readonly (readonly number[])[])[];
  readonly pieces_4: readonly string[];
  readonly pieces_8: readonly string[];
  readonly holes_4: readonly string[];
} & Readonly<Record<"complement" | "filled" | "filled_8_small" | "dropped" | "largest" | "smooth", string>>;

export type PairCase = { readonly a: Rle; readonly b: Rle; readonly iou: number } & Readonly<
  Record<"union" | "intersection" | "difference" | "exclusion", string>
>;

export type FillCase = {
  readonly size_hw: SizeHw;
  readonly islands: readonly (readonly (readonly number[])[])[];
  readonly counts: string;
};

export const {
  masks: maskCases,
  pairs: pairCases,
  fills: fillCases,
} = goldens as unknown as {
  readonly masks: readonly MaskCase[];
  readonly pairs: readonly PairCase[];
  readonly fills: readonly FillCase[];
};

/** Polygons as the vectors write them: for each island its rings, the exterior first. */
export const polygonsOf = (sizeHw: SizeHw, islands: FillCase["islands"]): Polygons => ({
  sizeHw,
  islands: islands.map(([exterior, ...holes]): Island => ({
    exterior: Float64Array.from(exterior!),
    holes: holes.map((hole) => Float64Array.from(hole)),
  })),
});
