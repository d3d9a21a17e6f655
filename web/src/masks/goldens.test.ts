import { describe, expect, test } from "vitest";
import { ringsOf } from "../geometry/rings";
import { area, complement, difference, exclusion, intersection, iou, union } from "./algebra";
import { dropIslands, fillHoles, keepLargest, smoothBoundary } from "./cleanup";
import { fill } from "./fill";
import { holes, islands } from "./islands";
import { decodeRle, encodeRle } from "./rle";
import { fillCases, isSound, maskCases, pairCases, polygonsOf } from "./testing";
import { trace } from "./trace";

const counts = (patch: Parameters<typeof encodeRle>[0]): string => encodeRle(patch).counts;

describe.each(maskCases)("python and the browser agree on $name:", (known) => {
  const patch = decodeRle(known.rle);

  test("its pixels come back as the same bytes", () => {
    expect(isSound(patch)).toBe(true);
    expect(encodeRle(patch)).toEqual(known.rle);
  });

  test("it has the same area and box", () => {
    expect(area(patch)).toBe(known.area);
    expect(patch.box).toEqual(known.box);
  });

  test("its outline is the same vertex for vertex and encloses the mask again", () => {
    const polygons = trace(patch);

    expect(polygons.islands.map((island) => ringsOf(island).map((ring) => [...ring]))).toEqual(known.islands);
    expect(counts(fill(polygons))).toBe(known.rle.counts);
  });

  test("its pieces and holes are the same, in the same order", () => {
    expect(islands(patch, 4).slice(0, 12).map(counts)).toEqual(known.pieces_4);
    expect(islands(patch, 8).slice(0, 12).map(counts)).toEqual(known.pieces_8);
    expect(holes(patch, 4).slice(0, 12).map(counts)).toEqual(known.holes_4);
  });

  test("its complement and cleanups are the same", () => {
    expect(counts(complement(patch))).toBe(known.complement);
    expect(counts(fillHoles(patch))).toBe(known.filled);
    expect(counts(fillHoles(patch, 3, 8))).toBe(known.filled_8_small);
    expect(counts(dropIslands(patch, 6))).toBe(known.dropped);
    expect(counts(keepLargest(patch))).toBe(known.largest);
  });

  test("it is smoothed to the same mask, but for two pixels that rounding may tip", () => {
    const known_smooth = decodeRle({ size_hw: known.rle.size_hw, counts: known.smooth });

    expect(area(exclusion(smoothBoundary(patch), known_smooth))).toBeLessThanOrEqual(2);
  });
});

test("python and the browser agree on what two masks make together", () => {
  for (const known of pairCases) {
    const [a, b] = [decodeRle(known.a), decodeRle(known.b)];

    expect(counts(union(a, b))).toBe(known.union);
    expect(counts(intersection(a, b))).toBe(known.intersection);
    expect(counts(difference(a, b))).toBe(known.difference);
    expect(counts(exclusion(a, b))).toBe(known.exclusion);
    expect(iou(a, b)).toBeCloseTo(known.iou, 12);
  }
});

test("python and the browser fill drawn polygons with the same pixels", () => {
  for (const known of fillCases) {
    expect(counts(fill(polygonsOf(known.size_hw, known.islands)))).toBe(known.counts);
  }
});
