import { expect, test } from "vitest";
import { imagePoint } from "../geometry/coords";
import { area, isSame, sharedArea, union, unionAll } from "./algebra";
import { dropIslands, fillHoles, keepLargest, smoothBoundary } from "./cleanup";
import { cut } from "./cut";
import { holeAt, holes, islandAt, islands } from "./islands";
import { drawing, drawn, eachSeed, isSound, randomPatch, randomPoint } from "./testing";

test("islands are apart, together they are the mask, and the largest is first", () => {
  eachSeed(200, (random) => {
    const patch = randomPatch(random);
    for (const connectivity of [4, 8] as const) {
      const pieces = islands(patch, connectivity);

      expect(isSame(unionAll(patch.sizeHw, pieces), patch)).toBe(true);
      expect(pieces.reduce((sum, piece) => sum + area(piece), 0)).toBe(area(patch));
      expect(pieces.map(area)).toEqual(pieces.map(area).toSorted((a, b) => b - a));
      for (const piece of pieces) {
        expect(isSound(piece)).toBe(true);
        expect(islands(piece, connectivity).length).toBe(1);
      }
    }
  });
});

test("filling holes twice is filling them once, and leaves none", () => {
  eachSeed(200, (random) => {
    const filled = fillHoles(randomPatch(random));

    expect(holes(filled)).toEqual([]);
    expect(fillHoles(filled)).toBe(filled);
  });
});

test("the island under a point is the piece that has it", () => {
  eachSeed(100, (random) => {
    const patch = randomPatch(random);
    const point = randomPoint(random, patch.sizeHw);

    const found = islandAt(patch, point);

    const x = Math.floor(point.x);
    const y = Math.floor(point.y);
    const expected = islands(patch).find((piece) => sharedArea(piece, pixel(patch.sizeHw, x, y)) === 1) ?? null;
    if (expected === null) expect(found).toBeNull();
    else expect(isSame(found!, expected)).toBe(true);
  });
});

test("a hole is found from within, open background is not", () => {
  const mask = drawing("####. #..#. ####.");

  expect(area(holeAt(mask, imagePoint(1.5, 1.5))!)).toBe(2);
  expect(holeAt(mask, imagePoint(4.5, 1.5))).toBeNull();
  expect(holeAt(mask, imagePoint(0.5, 0.5))).toBeNull();
});

test("dropping islands keeps the largest, unless told otherwise", () => {
  const mask = drawing("##..# ##... ....#");

  expect(drawn(dropIslands(mask, 2))).toBe("##...\n##...\n.....");
  expect(drawn(dropIslands(mask, 9))).toBe("##...\n##...\n.....");
  expect(area(dropIslands(mask, 9, 8, false))).toBe(0);
  expect(drawn(keepLargest(mask, 2))).toBe("##..#\n##...\n.....");
});

test("smoothing keeps the size of a disc", () => {
  const disc = drawing(
    Array.from({ length: 50 }, (_, y) =>
      Array.from({ length: 50 }, (_, x) => (Math.hypot(x - 25, y - 25) < 20 ? "#" : ".")).join(""),
    ).join(" "),
  );

  expect(Math.abs(area(smoothBoundary(disc, 3)) / area(disc) - 1)).toBeLessThan(0.01);
});

test("a line all the way through cuts in two and loses no pixel", () => {
  eachSeed(200, (random) => {
    const patch = randomPatch(random);
    const [height, width] = patch.sizeHw;
    // half of the lines run through the centres of pixels, as clicks at full size do
    const snap =
      random.below(2) === 0 ? (value: number): number => Math.round(value) + 0.5 : (value: number): number => value;
    const path = [imagePoint(-5, snap(random.unit() * height)), imagePoint(width + 5, snap(random.unit() * height))];

    const pieces = cut(patch, path);

    expect(pieces.reduce((sum, piece) => sum + area(piece), 0)).toBe(area(patch));
    expect(isSame(pieces.reduce(union), patch)).toBe(true);
    for (const piece of pieces) expect(isSound(piece)).toBe(true);
    // no piece that came off has pixels on both sides
    for (const piece of pieces.slice(1)) expect(sidesOf(piece, path[0]!, path[1]!)).toBe(1);
  });
});

test("a diagonal through pixel centres cuts a square in two", () => {
  const square = drawing(Array.from({ length: 8 }, () => "########").join(" "));

  const pieces = cut(square, [imagePoint(-1, -1), imagePoint(9, 9)]);

  expect(pieces.map(area)).toEqual([36, 28]);
});

test("a line that ends within the mask cuts nothing", () => {
  const mask = drawing("###### ###### ######");

  expect(cut(mask, [imagePoint(3, -1), imagePoint(3, 1.2)])).toEqual([mask]);
  expect(cut(mask, [imagePoint(3, -1)])).toEqual([mask]);
});

test("islands that the line misses stay with what remains", () => {
  const mask = drawing("######..## ######..##");

  const [kept, ...off] = cut(mask, [imagePoint(2, -1), imagePoint(2, 3)]);

  expect(drawn(kept!)).toBe("..####..##\n..####..##");
  expect(off.map(drawn)).toEqual(["##........\n##........"]);
});

test("a bent line cuts a corner out", () => {
  const square = drawing(Array.from({ length: 6 }, () => "######").join(" "));

  const [, corner] = cut(square, [imagePoint(2, -1), imagePoint(2, 3), imagePoint(-1, 3)]);

  expect(corner!.box).toEqual([0, 0, 2, 3]);
  expect(area(corner!)).toBe(6);
});

const pixel = (sizeHw: readonly [number, number], x: number, y: number) => ({
  sizeHw,
  box: [x, y, x + 1, y + 1] as const,
  bits: Uint8Array.of(1),
});

const sidesOf = (
  { box, bits }: ReturnType<typeof drawing>,
  a: { x: number; y: number },
  b: { x: number; y: number },
): number => {
  const sides = new Set<boolean>();
  bits.forEach((bit, i) => {
    if (bit === 0) return;
    const [x, y] = [box[0] + (i % (box[2] - box[0])) + 0.5, box[1] + Math.floor(i / (box[2] - box[0])) + 0.5];
    const side = (b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x);
    if (Math.abs(side) > 1e-3) sides.add(side > 0);
  });
  return Math.max(1, sides.size);
};
