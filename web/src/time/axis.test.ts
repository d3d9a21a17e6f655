import { expect, test } from "vitest";
import { fitAxis, frameAt, inSight, isFit, refit, scrolled, showing, ticks, xOf, zoomed } from "./axis";

test("all frames of a recording are in sight at first, and each has its place", () => {
  const axis = fitAxis(0, 99, 500);

  expect(axis.scale).toBe(5);
  expect(inSight(axis)).toEqual([0, 99]);
  expect(xOf(axis, 10)).toBe(50);
  for (let frame = 0; frame < 100; frame++) expect(frameAt(axis, xOf(axis, frame) + 0.5)).toBe(frame);
});

test("places beyond the ends are the first and the last frame", () => {
  const axis = fitAxis(5, 9, 500);

  expect(frameAt(axis, -100)).toBe(5);
  expect(frameAt(axis, 10_000)).toBe(9);
  expect(axis.scale).toBe(24); // few frames do not fill the width
});

test("what is under the pointer stays there when one goes nearer, and ends are never passed", () => {
  const axis = fitAxis(0, 999, 500);
  const near = zoomed(axis, 8, 250);

  expect(frameAt(near, 250)).toBe(500);
  expect(near.scale).toBe(4);
  expect(isFit(near)).toBe(false);
  expect(inSight(scrolled(near, -1e9))[0]).toBe(0);
  expect(inSight(scrolled(near, 1e9))[1]).toBe(999);
  expect(isFit(zoomed(near, 1e-9, 250))).toBe(true);
  expect(zoomed(near, 1e9, 0).scale).toBe(24);
});

test("a frame out of sight comes into the middle, one in sight moves nothing", () => {
  const near = zoomed(fitAxis(0, 999, 500), 8, 0);

  expect(showing(near, 10)).toBe(near);
  expect(Math.round(xOf(showing(near, 500), 500))).toBe(250);
  expect(inSight(showing(near, 999))[1]).toBe(999);
});

test("more frames or another width keep what one looks at", () => {
  const near = zoomed(fitAxis(0, 999, 500), 8, 250);

  expect(isFit(refit(fitAxis(0, 9, 500), 0, 99, 800))).toBe(true);
  expect(refit(near, 0, 1999, 500).from).toBe(near.from);
  expect(refit(near, 0, 1999, 500).scale).toBe(near.scale);
});

test("numbers stand at round frames and apart from each other", () => {
  expect(ticks(fitAxis(0, 119, 600), 70)).toEqual([0, 20, 40, 60, 80, 100]);
  expect(ticks(fitAxis(0, 9, 500), 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (const last of [3, 50, 777, 123_456]) {
    const axis = fitAxis(0, last, 640);
    const found = ticks(axis, 60);
    expect(found.length).toBeGreaterThan(0);
    for (const [i, frame] of found.entries()) if (i > 0) expect(xOf(axis, frame) - xOf(axis, found[i - 1]!)).toBeGreaterThanOrEqual(60);
  }
});
