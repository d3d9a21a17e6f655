import { expect, test } from "vitest";
import {
  boxArea,
  boxAround,
  boxBetween,
  boxesMeet,
  boxHeight,
  boxIou,
  boxWidth,
  clipBox,
  EMPTY_BOX,
  growBox,
  intersectBoxes,
  isEmptyBox,
  isInBox,
  isSameBox,
  pixelBox,
  translateBox,
  uniteBoxes,
} from "./boxes";
import { imagePoint } from "./coords";

test("a box drawn from any corner is the same box", () => {
  const [a, b, c, d] = [imagePoint(1, 2), imagePoint(5, 7), imagePoint(5, 2), imagePoint(1, 7)];

  expect(boxBetween(a, b)).toEqual([1, 2, 5, 7]);
  expect([boxBetween(b, a), boxBetween(c, d), boxBetween(d, c)]).toEqual(Array(3).fill([1, 2, 5, 7]));
  expect(boxAround([a, b])).toEqual([1, 2, 5, 7]);
  expect(boxAround([])).toEqual(EMPTY_BOX);
});

test("right and bottom edges are outside", () => {
  expect(isInBox([0, 0, 2, 2], imagePoint(0, 1.99))).toBe(true);
  expect(isInBox([0, 0, 2, 2], imagePoint(2, 1))).toBe(false);
  expect(boxesMeet([0, 0, 2, 2], [2, 0, 3, 2])).toBe(false);
});

test("an empty box adds nothing and meets nothing", () => {
  const box = [3, 4, 6, 8] as const;

  expect(uniteBoxes(box, EMPTY_BOX)).toEqual(box);
  expect(uniteBoxes([9, 9, 9, 12], box)).toEqual(box);
  expect(intersectBoxes(box, EMPTY_BOX)).toEqual(EMPTY_BOX);
  expect(isSameBox([5, 5, 5, 5], EMPTY_BOX)).toBe(true);
  expect(growBox(EMPTY_BOX, 3)).toEqual(EMPTY_BOX);
  expect(growBox(box, -2)).toEqual(EMPTY_BOX);
  expect(translateBox(EMPTY_BOX, 3, 3)).toEqual(EMPTY_BOX);
});

test("boxes have the widths, areas and overlap that python gives", () => {
  expect([boxWidth([1, 2, 4, 8]), boxHeight([1, 2, 4, 8]), boxArea([1, 2, 4, 8])]).toEqual([3, 6, 18]);
  expect(boxArea([4, 8, 1, 2])).toBe(0);
  expect(boxIou([0, 0, 2, 2], [1, 0, 3, 2])).toBeCloseTo(1 / 3);
  expect(boxIou(EMPTY_BOX, EMPTY_BOX)).toBe(0);
});

test("boxes are cut to the image and widened to whole pixels", () => {
  expect(clipBox([-3, 2, 50, 9], [6, 10])).toEqual([0, 2, 10, 6]);
  expect(isEmptyBox(clipBox([20, 2, 50, 9], [6, 10]))).toBe(true);
  expect(pixelBox([0.2, 1, 2.1, 3])).toEqual([0, 1, 3, 3]);
});
