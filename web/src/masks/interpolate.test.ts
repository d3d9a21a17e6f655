import { expect, test } from "vitest";
import { imagePoint, type SizeHw } from "../geometry/coords";
import { area, iou, translate } from "./algebra";
import { paintStroke } from "./brush";
import { signedDistances, squaredDistances } from "./distance";
import { centroid, interpolate } from "./interpolate";
import { emptyPatch, type Patch } from "./patch";
import { drawing, eachSeed, isSound, randomPatch } from "./testing";

const SIZE: SizeHw = [60, 100];
const disc = (x: number, y: number, radius: number): Patch =>
  paintStroke(emptyPatch(SIZE), [imagePoint(x, y)], { radius, isErasing: false });

test("distances are those to the nearest pixel of that value, exactly", () => {
  eachSeed(150, (random) => {
    const [width, height] = [1 + random.below(12), 1 + random.below(12)];
    const bits = new Uint8Array(width * height).map(() => (random.unit() < 0.2 ? 1 : 0));

    const squared = squaredDistances(bits, width, height, 1);

    const set = [...bits.keys()].filter((i) => bits[i] === 1);
    const away = (i: number, j: number): number =>
      ((i % width) - (j % width)) ** 2 + (Math.floor(i / width) - Math.floor(j / width)) ** 2;
    expect([...squared]).toEqual(Array.from(squared, (_, i) => Math.min(...set.map((j) => away(i, j)))));
  });
});

test("signed distances are half a pixel on either side of an edge", () => {
  expect([...signedDistances(Uint8Array.of(0, 0, 1, 1, 0), 5, 1)]).toEqual([-1.5, -0.5, 0.5, 0.5, -0.5]);
});

test("interpolation begins with the first mask and ends with the second", () => {
  eachSeed(50, (random) => {
    const a = randomPatch(random);
    const b = randomPatch(random, a.sizeHw);

    expect(interpolate(a, b, 0)).toBe(a);
    expect(interpolate(a, b, 1)).toBe(b);
    for (const share of [0.1, 0.5, 0.9]) expect(isSound(interpolate(a, b, share))).toBe(true);
  });
});

test("a mask between itself and itself is itself", () => {
  eachSeed(50, (random) => {
    const patch = randomPatch(random);

    expect(interpolate(patch, patch, 0.37)).toEqual(patch);
  });
});

test("a disc that moves further than its size is still a disc on its way", () => {
  const [from, to] = [disc(15, 20, 8), disc(85, 40, 8)];

  const halfway = interpolate(from, to, 0.5);

  expect(iou(halfway, disc(50, 30, 8))).toBeGreaterThan(0.95);
});

test("a disc that grows has the radius between", () => {
  const halfway = interpolate(disc(50, 30, 8), disc(50, 30, 20), 0.5);

  expect(Math.sqrt(area(halfway) / Math.PI)).toBeCloseTo(14, 0);
});

test("a mask that leaves the image goes out at the border", () => {
  const from = disc(50, 30, 8);
  const to = translate(from, -53, 0);

  expect(centroid(to)!.x).toBeLessThan(4);
  expect(isSound(interpolate(from, to, 0.95))).toBe(true);
});

test("between a mask and none it stays until halfway", () => {
  const mask = drawing("##. ##.");
  const none = emptyPatch([2, 3]);

  expect(interpolate(mask, none, 0.4)).toBe(mask);
  expect(interpolate(mask, none, 0.6)).toBe(none);
  expect(centroid(none)).toBeNull();
});
