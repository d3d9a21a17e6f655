import { expect, test } from "vitest";
import { isEmptyBox, isInBox } from "../geometry/boxes";
import { imagePoint, type SizeHw } from "../geometry/coords";
import { distanceToSegment } from "../geometry/segments";
import { area, difference, exclusion, isSame, union } from "./algebra";
import { beginStroke, endStroke, extendStroke, paintStroke, strokePatch } from "./brush";
import { islands } from "./islands";
import { emptyPatch } from "./patch";
import { dense, eachSeed, isSound, randomPatch, randomPoint, type Random } from "./testing";

const SIZE: SizeHw = [40, 50];
const add = (radius: number) => ({ radius, isErasing: false });
const erase = (radius: number) => ({ radius, isErasing: true });
const randomPath = (random: Random) => Array.from({ length: 1 + random.below(5) }, () => randomPoint(random, SIZE));

test("a stroke sets the pixels whose centres are within the radius of the path, and those under the pointer", () => {
  eachSeed(100, (random) => {
    const path = randomPath(random);
    const radius = 0.5 + random.unit() * 8;

    const bits = dense(paintStroke(emptyPatch(SIZE), path, add(radius)));

    const isWrong = (bit: number, i: number): boolean => {
      const [x, y] = [i % SIZE[1], Math.floor(i / SIZE[1])];
      const centre = imagePoint(x + 0.5, y + 0.5);
      const away = Math.min(...path.map((to, k) => distanceToSegment(centre, path[Math.max(0, k - 1)]!, to)));
      const isUnder = path.some((point) => Math.floor(point.x) === x && Math.floor(point.y) === y);
      return Math.abs(away - radius) > 1e-9 && (bit === 1) !== (away < radius || isUnder);
    };
    expect([...bits.keys()].filter((i) => isWrong(bits[i]!, i))).toEqual([]);
  });
});

test("the thinnest stroke has no gaps, however fast the pointer moves", () => {
  eachSeed(200, (random) => {
    const path = Array.from({ length: 4 }, () => imagePoint(random.unit() * SIZE[1], random.unit() * SIZE[0]));

    const stroke = paintStroke(emptyPatch(SIZE), path, add(0.1));

    expect(islands(stroke, 8).length).toBe(1);
  });
});

test("adding is joining with the stroke and erasing is taking it out", () => {
  eachSeed(150, (random) => {
    const patch = randomPatch(random, SIZE);
    const path = randomPath(random);
    const radius = random.unit() * 10;
    const stroke = paintStroke(emptyPatch(SIZE), path, add(radius));

    const [added, erased] = [paintStroke(patch, path, add(radius)), paintStroke(patch, path, erase(radius))];

    expect(isSame(added, union(patch, stroke))).toBe(true);
    expect(isSame(erased, difference(patch, stroke))).toBe(true);
    expect(isSound(added) && isSound(erased)).toBe(true);
  });
});

test("each move reports a box around all that it changed, and leaves the mask it began with alone", () => {
  eachSeed(100, (random) => {
    const patch = randomPatch(random, SIZE);
    const before = patch.bits.slice();
    const stroke = beginStroke(patch, random.below(2) === 0 ? add(3) : erase(3));
    for (const point of randomPath(random)) {
      const shown = { ...strokePatch(stroke), bits: strokePatch(stroke).bits.slice() };

      const changed = extendStroke(stroke, point);

      const difference = exclusion(shown, strokePatch(stroke));
      if (isEmptyBox(changed)) expect(area(difference)).toBe(0);
      else if (area(difference) > 0) {
        const [x1, y1, x2, y2] = difference.box;
        expect(isInBox(changed, imagePoint(x1, y1)) && isInBox(changed, imagePoint(x2 - 1, y2 - 1))).toBe(true);
      }
    }

    const done = endStroke(stroke);
    extendStroke(stroke, imagePoint(1, 1));

    expect(patch.bits).toEqual(before);
    expect(isSound(done)).toBe(true);
  });
});

test("erasing everything leaves the empty mask", () => {
  const dot = paintStroke(emptyPatch(SIZE), [imagePoint(10, 10)], add(4));

  expect(paintStroke(dot, [imagePoint(10, 10)], erase(5))).toEqual(emptyPatch(SIZE));
  expect(paintStroke(emptyPatch(SIZE), [imagePoint(10, 10)], erase(5))).toEqual(emptyPatch(SIZE));
});

test("a click between pixels paints a disc around that very point", () => {
  expect(area(paintStroke(emptyPatch(SIZE), [imagePoint(10, 10)], add(1)))).toBe(4);
  expect(area(paintStroke(emptyPatch(SIZE), [imagePoint(10.5, 10.5)], add(1)))).toBe(5);
});
