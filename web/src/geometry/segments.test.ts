import { expect, test } from "vitest";
import { eachSeed, randomPoint } from "../masks/testing";
import { imagePoint } from "./coords";
import {
  angleAt,
  direction,
  distance,
  distanceToSegment,
  hitsSegment,
  isNear,
  midpoint,
  nearestOnSegment,
  pointBetween,
  segmentsCross,
} from "./segments";

const p = imagePoint;

test("the nearest point of a segment is no further than any other", () => {
  eachSeed(100, (random) => {
    const [q, a, b] = [randomPoint(random, [20, 20]), randomPoint(random, [20, 20]), randomPoint(random, [20, 20])];
    const shares = Array.from({ length: 101 }, (_, i) => i / 100);

    const least = Math.min(...shares.map((share) => distance(q, pointBetween(a, b, share))));

    expect(distanceToSegment(q, a, b)).toBeLessThanOrEqual(least + 1e-9);
    expect(distanceToSegment(q, a, b)).toBeGreaterThan(least - 0.3);
  });
});

test("a segment without length is a point", () => {
  expect(nearestOnSegment(p(3, 4), p(0, 0), p(0, 0))).toEqual(p(0, 0));
  expect(distanceToSegment(p(3, 4), p(0, 0), p(0, 0))).toBe(5);
});

test("a pointer hits a segment within reach, also past its end", () => {
  expect(hitsSegment(p(5, 2), p(0, 0), p(10, 0), 2)).toBe(true);
  expect(hitsSegment(p(12, 0), p(0, 0), p(10, 0), 2)).toBe(true);
  expect(hitsSegment(p(12.1, 0), p(0, 0), p(10, 0), 2)).toBe(false);
  expect(isNear(p(0, 0), p(3, 4), 5)).toBe(true);
  expect(midpoint(p(0, 0), p(4, 2))).toEqual(p(2, 1));
});

test("segments cross, touch, lie on each other, or do not meet", () => {
  expect(segmentsCross(p(0, 0), p(4, 4), p(0, 4), p(4, 0))).toBe(true);
  expect(segmentsCross(p(0, 0), p(4, 0), p(2, 0), p(2, 5))).toBe(true);
  expect(segmentsCross(p(0, 0), p(4, 0), p(3, 0), p(9, 0))).toBe(true);
  expect(segmentsCross(p(0, 0), p(4, 0), p(5, 0), p(9, 0))).toBe(false);
  expect(segmentsCross(p(0, 0), p(4, 0), p(0, 1), p(4, 1))).toBe(false);
  expect(segmentsCross(p(0, 0), p(4, 4), p(3, 0), p(9, 1))).toBe(false);
});

test("angles are degrees, clockwise on the screen", () => {
  expect(direction(p(0, 0), p(1, 0))).toBe(0);
  expect(direction(p(0, 0), p(0, 1))).toBe(90);
  expect(direction(p(0, 0), p(-1, -0))).toBe(180);
  expect(angleAt(p(1, 0), p(0, 0), p(0, 1))).toBe(90);
  expect(angleAt(p(-1, 0.0001), p(0, 0), p(-1, -0.0001))).toBeLessThan(0.1);
});
