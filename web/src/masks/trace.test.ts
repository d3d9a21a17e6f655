import { expect, test } from "vitest";
import { imagePoint } from "../geometry/coords";
import {
  areaOf,
  crossesItself,
  insertVertex,
  isInPolygons,
  ringOf,
  ringsOf,
  signedArea,
  type Ring,
} from "../geometry/rings";
import { simplify } from "../geometry/simplify";
import { area, contains, iou, isSame } from "./algebra";
import { fill, fillIsland, lasso } from "./fill";
import { islands } from "./islands";
import { dense, drawing, drawn, eachSeed, randomPatch, randomPoint } from "./testing";
import { trace } from "./trace";

test("filling a traced mask gives it back to the pixel", () => {
  eachSeed(400, (random) => {
    const patch = randomPatch(random);

    expect(isSame(fill(trace(patch)), patch)).toBe(true);
  });
});

test("exteriors run clockwise, holes the other way, and together they have the mask's area", () => {
  eachSeed(200, (random) => {
    const patch = randomPatch(random);

    const polygons = trace(patch);

    expect(areaOf(polygons)).toBe(area(patch));
    for (const { exterior, holes } of polygons.islands) {
      expect(signedArea(exterior)).toBeGreaterThan(0);
      for (const hole of holes) expect(signedArea(hole)).toBeLessThan(0);
    }
  });
});

test("no ring touches itself, and there is one island for each piece joined by edges", () => {
  eachSeed(100, (random) => {
    const patch = randomPatch(random, [9, 9]);

    const polygons = trace(patch);

    expect(polygons.islands.length).toBe(islands(patch, 4).length);
    expect(polygons.islands.flatMap(ringsOf).some(crossesItself)).toBe(false);
  });
});

test("a vertex put on an edge changes no pixel", () => {
  eachSeed(100, (random) => {
    const patch = randomPatch(random);
    const [first, ...others] = trace(patch).islands;
    if (first === undefined) return;
    const [x1, y1, x2, y2] = first.exterior as unknown as [number, number, number, number];
    const share = random.unit();
    const exterior = insertVertex(first.exterior, 0, imagePoint(x1 + (x2 - x1) * share, y1 + (y2 - y1) * share));

    const edited = fill({ sizeHw: patch.sizeHw, islands: [{ ...first, exterior }, ...others] });

    expect(isSame(edited, patch)).toBe(true);
  });
});

test("a filled pixel is one whose centre is in the polygons", () => {
  eachSeed(150, (random) => {
    const sizeHw = [16, 16] as const;
    const ring = (): Ring => ringOf(Array.from({ length: 3 + random.below(5) }, () => randomPoint(random, sizeHw)));
    const polygons = {
      sizeHw,
      islands: [
        { exterior: ring(), holes: [ring()] },
        { exterior: ring(), holes: [] },
      ],
    };

    const bits = dense(fill(polygons));

    const inside = bits.map((_, i) =>
      isInPolygons(polygons, imagePoint((i % 16) + 0.5, Math.floor(i / 16) + 0.5)) ? 1 : 0,
    );
    expect(bits).toEqual(inside);
  });
});

test("rings without an area, half drawn or not numbers have no pixels", () => {
  for (const exterior of [[], [1, 1], [1, 1, 5, 5], [1, 1, 5, 5, 9, 9], [1, 1, NaN, 5, 9, 1]]) {
    expect(area(fillIsland({ exterior: Float64Array.from(exterior), holes: [] }, [10, 10]))).toBe(0);
  }
});

test("a lasso takes what it goes round twice, where a polygon has a hole", () => {
  const path = [
    [1, 1],
    [9, 1],
    [9, 9],
    [1, 9],
    [2, 2],
    [8, 2],
    [8, 8],
    [2, 8],
  ].map(([x, y]) => imagePoint(x!, y!));
  const middle = imagePoint(5, 5);

  expect(contains(fillIsland({ exterior: ringOf(path), holes: [] }, [10, 10]), middle)).toBe(false);
  expect(contains(lasso(path, [10, 10]), middle)).toBe(true);
  expect(area(lasso(path, [10, 10]))).toBe(63); // the way back to the start cuts one corner
  expect(lasso(path.toReversed(), [10, 10])).toEqual(lasso(path, [10, 10]));
  expect(area(lasso(path.slice(0, 2), [10, 10]))).toBe(0);
});

test("simplified outlines stay close to the mask", () => {
  const disc = drawing(
    Array.from({ length: 60 }, (_, y) =>
      Array.from({ length: 60 }, (_, x) => (Math.hypot(x - 30, y - 30) < 25 ? "#" : ".")).join(""),
    ).join(" "),
  );

  const simple = simplify(trace(disc), 1);

  expect(simple.islands[0]!.exterior.length).toBeLessThan(trace(disc).islands[0]!.exterior.length / 3);
  expect(iou(fill(simple), disc)).toBeGreaterThan(0.96);
});

test("a picture is traced where it lies", () => {
  const mask = drawing("..... .##.. .##.. .....");

  expect([...trace(mask).islands[0]!.exterior]).toEqual([1, 1, 3, 1, 3, 3, 1, 3]);
  expect(drawn(fill(trace(mask)))).toBe(".....\n.##..\n.##..\n.....");
});
