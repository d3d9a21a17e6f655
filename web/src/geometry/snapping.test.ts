import { expect, test } from "vitest";
import { imagePoint, type SizeHw } from "./coords";
import { distance } from "./segments";
import { clampToImage, snap, snapToAngle, snapToBorder, snapToPixel } from "./snapping";

const p = imagePoint;
const SIZE: SizeHw = [100, 200];
const RINGS = [Float64Array.of(20, 20, 80, 20, 80, 80, 20, 80), Float64Array.of(83, 20, 120, 20, 120, 40)];

test("a point goes to a vertex before an edge, and to an edge before the border", () => {
  expect(snap(p(79, 22), RINGS, SIZE, 4)).toEqual({ at: p(80, 20), to: "vertex" });
  expect(snap(p(50, 22), RINGS, SIZE, 4)).toEqual({ at: p(50, 20), to: "edge" });
  expect(snap(p(198, 99), RINGS, SIZE, 4)).toEqual({ at: p(200, 100), to: "border" });
  expect(snap(p(50, 50), RINGS, SIZE, 4)).toEqual({ at: p(50, 50), to: "nothing" });
});

test("of two vertices within reach it goes to the nearer", () => {
  expect(snap(p(82, 20), RINGS, SIZE, 4).at).toEqual(p(83, 20));
});

test("the border takes one side or both", () => {
  expect(snapToBorder(p(2, 50), SIZE, 4)).toEqual(p(0, 50));
  expect(snapToBorder(p(-2, -3), SIZE, 4)).toEqual(p(0, 0));
  expect(snapToBorder(p(50, 50), SIZE, 4)).toBeNull();
});

test("a held angle keeps the length", () => {
  const at = snapToAngle(p(10, 10), p(20, 11), 45);

  expect(at.y).toBeCloseTo(10);
  expect(distance(p(10, 10), at)).toBeCloseTo(Math.hypot(10, 1));
  expect(snapToAngle(p(0, 0), p(9, 10), 45).x).toBeCloseTo(Math.sqrt(181 / 2));
});

test("points round to corners of pixels and stay in the image", () => {
  expect(snapToPixel(p(3.4, 7.6))).toEqual(p(3, 8));
  expect(clampToImage(p(-3, 300), SIZE)).toEqual(p(0, 100));
});
