import { expect, test } from "vitest";
import { imagePoint } from "../geometry/coords";
import {
  area,
  boxPatch,
  complement,
  contains,
  cropTo,
  difference,
  exclusion,
  intersection,
  iou,
  isEmpty,
  isSame,
  translate,
  union,
  unionAll,
} from "./algebra";
import { emptyPatch, type Patch } from "./patch";
import { dense, drawing, eachSeed, isSound, randomPatch, type Random } from "./testing";

const pair = (random: Random): readonly [Patch, Patch] => {
  const a = randomPatch(random);
  return [a, randomPatch(random, a.sizeHw)];
};

test("sets of pixels are what they are on whole images", () => {
  eachSeed(300, (random) => {
    const [a, b] = pair(random);
    const [left, right] = [dense(a), dense(b)];
    const expected = (rule: (bit: number, other: number) => number): Uint8Array =>
      left.map((bit, i) => rule(bit, right[i]!));

    for (const [patch, rule] of [
      [union(a, b), (x: number, y: number) => x | y],
      [unionAll(a.sizeHw, [a, b]), (x: number, y: number) => x | y],
      [intersection(a, b), (x: number, y: number) => x & y],
      [difference(a, b), (x: number, y: number) => x & (1 - y)],
      [exclusion(a, b), (x: number, y: number) => x ^ y],
      [complement(a), (x: number) => 1 - x],
    ] as const) {
      expect(dense(patch)).toEqual(expected(rule));
      expect(isSound(patch)).toBe(true);
    }
  });
});

test("operations leave their masks as they were", () => {
  eachSeed(50, (random) => {
    const [a, b] = pair(random);
    const before = [a.bits.slice(), b.bits.slice()];

    for (const operation of [union, difference, intersection, exclusion, iou]) operation(a, b);
    translate(a, 1, -2);

    expect([a.bits, b.bits]).toEqual(before);
  });
});

test("a mask and itself overlap wholly, two empty masks not at all", () => {
  const mask = drawing("##. .#.");

  expect(iou(mask, mask)).toBe(1);
  expect(iou(emptyPatch([2, 3]), emptyPatch([2, 3]))).toBe(0);
  expect(isEmpty(difference(mask, mask))).toBe(true);
});

test("equal masks are the same however their bitmaps are cut", () => {
  const mask = drawing("... .#.");
  const wide: Patch = { sizeHw: [2, 3], box: [0, 0, 3, 2], bits: dense(mask) };

  expect(isSame(mask, wide)).toBe(true);
  expect(isSame(mask, drawing("... #.."))).toBe(false);
});

test("moving there and back gives the mask again if nothing left the image", () => {
  eachSeed(100, (random) => {
    const patch = randomPatch(random);
    const [dx, dy] = [random.below(7) - 3, random.below(7) - 3];

    const moved = translate(patch, dx, dy);

    expect(isSound(moved)).toBe(true);
    if (area(moved) === area(patch)) expect(isSame(translate(moved, -dx, -dy), patch)).toBe(true);
    else expect(area(moved)).toBeLessThan(area(patch));
  });
});

test("a point belongs to a mask if its pixel does", () => {
  const mask = drawing("..# .#. ...");

  expect(contains(mask, imagePoint(2, 0))).toBe(true);
  expect(contains(mask, imagePoint(2.99, 0.99))).toBe(true);
  expect(contains(mask, imagePoint(1.5, 0.5))).toBe(false);
  expect(contains(mask, imagePoint(-1, 7))).toBe(false);
});

test("cropping keeps what is inside the box", () => {
  eachSeed(100, (random) => {
    const patch = randomPatch(random);
    const box = [random.below(10), random.below(10), 5 + random.below(15), 5 + random.below(15)] as const;

    const cropped = cropTo(patch, box);

    expect(isSame(cropped, intersection(patch, boxPatch(patch.sizeHw, box)))).toBe(true);
    expect(isSound(cropped)).toBe(true);
  });
});

test("masks of different images are refused", () => {
  expect(() => union(emptyPatch([2, 3]), emptyPatch([3, 2]))).toThrow(
    "masks must have one size (height x width), got 2x3, 3x2",
  );
});
