import { expect, test } from "vitest";
import { isInBox } from "../geometry/boxes";
import { imagePoint, type SizeHw } from "../geometry/coords";
import { area, boxPatch, contains, translate } from "./algebra";
import { createLabelMap, hit, hitBox, removePatch, setPatch, topmost, type Labelled, type LabelMap } from "./labelmap";
import { emptyPatch } from "./patch";
import { eachSeed, randomPatch, type Random } from "./testing";

const SIZE: SizeHw = [30, 40];

const randomMasks = (random: Random, count: number): Labelled[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `m${i}`,
    patch: translate(randomPatch(random, SIZE), random.below(20) - 10, random.below(20) - 10),
  }));

const ids = (map: LabelMap): (string | null)[] =>
  Array.from(map.cells, (cell) => (cell === 0 ? null : map.slots[cell - 1]!.id));

test("the map shows the smallest mask at each pixel, and a hit lists all, smallest first", () => {
  eachSeed(40, (random) => {
    const masks = randomMasks(random, 12);
    const map = createLabelMap(SIZE, masks);
    for (let i = 0; i < 50; i += 1) {
      const point = imagePoint(random.unit() * 44 - 2, random.unit() * 34 - 2);
      const expected = masks
        .map(({ id, patch }, slot) => ({ id, patch, slot, size: area(patch) }))
        .filter(({ patch }) => contains(patch, point))
        .sort((a, b) => a.size - b.size || b.slot - a.slot)
        .map(({ id }) => id);

      expect(hit(map, point)).toEqual(expected);
      expect(topmost(map, point)).toBe(expected[0] ?? null);
    }
  });
});

test("changing, adding and removing masks one by one gives the map that is made at once", () => {
  eachSeed(30, (random) => {
    const masks = new Map(randomMasks(random, 10).map(({ id, patch }) => [id, patch]));
    const map = createLabelMap(
      SIZE,
      [...masks].map(([id, patch]) => ({ id, patch })),
    );
    for (let i = 0; i < 20; i += 1) {
      const id = `m${random.below(14)}`;
      const patch = randomPatch(random, SIZE);
      const before = ids(map);
      let changed;
      if (random.below(3) === 0) {
        masks.delete(id);
        changed = removePatch(map, id);
      } else {
        masks.set(id, patch);
        changed = setPatch(map, id, patch);
      }

      const missed = ids(map).filter((now, cell) => {
        const at = imagePoint(cell % SIZE[1], Math.floor(cell / SIZE[1]));
        return now !== before[cell] && !isInBox(changed, at);
      });
      expect(missed).toEqual([]);
    }

    // equal areas lie in the order of slots, so the map made at once takes the masks in that order
    const inOrder = map.slots.filter((slot) => slot !== null).map(({ id, patch }) => ({ id, patch }));
    expect(inOrder.length).toBe(masks.size);
    for (const { id, patch } of inOrder) expect(patch).toBe(masks.get(id));
    expect(ids(map)).toEqual(ids(createLabelMap(SIZE, inOrder)));
  });
});

test("a mask keeps its slot when it changes, so that colours by slot stay", () => {
  const map = createLabelMap(SIZE, [
    { id: "a", patch: boxPatch(SIZE, [0, 0, 5, 5]) },
    { id: "b", patch: boxPatch(SIZE, [10, 0, 15, 5]) },
  ]);
  const slot = map.slotOf.get("b");

  setPatch(map, "b", boxPatch(SIZE, [20, 20, 22, 22]));

  expect(map.slotOf.get("b")).toBe(slot);
  expect(topmost(map, imagePoint(21, 21))).toBe("b");
  expect(topmost(map, imagePoint(11, 1))).toBeNull();
});

test("a large image has coarser cells, and hits are exact all the same", () => {
  eachSeed(20, (random) => {
    const masks = randomMasks(random, 6);
    const [exact, coarse] = [createLabelMap(SIZE, masks), createLabelMap(SIZE, masks, 200)];

    expect(coarse.scale).toBe(3);
    for (let i = 0; i < 30; i += 1) {
      const point = imagePoint(random.unit() * 40, random.unit() * 30);
      expect(hit(coarse, point)).toEqual(hit(exact, point));
      expect(topmost(coarse, point)).toBe(topmost(exact, point));
    }
    const half = coarse.scale >> 1;
    ids(coarse).forEach((id, cell) => {
      const [x, y] = [
        (cell % coarse.cellsWide) * coarse.scale + half,
        Math.floor(cell / coarse.cellsWide) * coarse.scale + half,
      ];
      if (x < SIZE[1] && y < SIZE[0]) expect(id).toBe(topmost(exact, imagePoint(x, y)));
    });
  });
});

test("a rubber band selects masks that have a pixel in it", () => {
  const ring = { id: "corner", patch: randomCorner() };
  const map = createLabelMap(SIZE, [ring, { id: "dot", patch: boxPatch(SIZE, [12, 12, 13, 13]) }]);

  expect(hitBox(map, [11.2, 11.2, 14, 14])).toEqual(["dot"]);
  expect(hitBox(map, [4, 4, 30, 30])).toEqual(["dot", "corner"]);
});

test("more masks than a short number counts get wider cells", () => {
  const dot = boxPatch([4, 4], [1, 1, 2, 2]);
  const map = createLabelMap(
    [4, 4],
    Array.from({ length: 65_534 }, (_, i) => ({ id: `${i}`, patch: dot })),
  );
  expect(map.cells).toBeInstanceOf(Uint16Array);

  setPatch(map, "one", dot);
  setPatch(map, "two", dot);

  expect(map.cells).toBeInstanceOf(Uint32Array);
  expect(topmost(map, imagePoint(1.5, 1.5))).toBe("two");
});

test("an empty mask is on the map and nowhere to be hit", () => {
  const map = createLabelMap(SIZE, [{ id: "none", patch: emptyPatch(SIZE) }]);

  expect(hit(map, imagePoint(0, 0))).toEqual([]);
  expect(removePatch(map, "none")).toEqual([0, 0, 0, 0]);
  expect(removePatch(map, "never there")).toEqual([0, 0, 0, 0]);
});

/** A mask like an L, whose box holds more than its pixels. */
const randomCorner = () => ({
  sizeHw: SIZE,
  box: [5, 5, 20, 20] as const,
  bits: new Uint8Array(225).map((_, i) => (i < 15 || i % 15 === 0 ? 1 : 0)),
});
