// Which mask is on top at each pixel, of up to 10,000 masks: an index map for drawing and for hits. Smaller masks lie
// over larger ones, so that each can be reached. It is a cache that changes in place: one mask that changes costs its
// own box. A cell holds 0 for nothing, else the slot of a mask plus one; a slot stays a mask's own as long as it is
// on the map.

import { boxesMeet, intersectBoxes, isEmptyBox, uniteBoxes } from "../geometry/boxes";
import type { BoxXyxy, ImagePoint, SizeHw } from "../geometry/coords";
import { area, contains } from "./algebra";
import { eachSharedRow } from "./bits";
import type { Patch } from "./patch";

export type Labelled = { readonly id: string; readonly patch: Patch };

type Entry = Labelled & { readonly slot: number; readonly area: number };

export type LabelMap = {
  readonly sizeHw: SizeHw;
  /** Image pixels along the side of a cell: 1, or more where the image has more than MAX_CELLS pixels. */
  readonly scale: number;
  /** Rows of `cellsWide` cells; replaced by a wider type once there are more than 65,534 slots. */
  cells: Uint16Array | Uint32Array;
  readonly cellsWide: number;
  readonly slots: (Entry | null)[];
  readonly slotOf: Map<string, number>;
  readonly free: number[];
  readonly tiles: Set<number>[];
};

const MAX_CELLS = 1 << 24; // 32 MB; a 50-megapixel image has cells of 2x2 pixels
const TILE = 128; // px; a tile lists the masks whose boxes meet it
const WIDEST_SHORT = 65_535;

/** Put masks on a map. */
export const createLabelMap = (sizeHw: SizeHw, masks: readonly Labelled[], maxCells = MAX_CELLS): LabelMap => {
  const [height, width] = sizeHw;
  const scale = Math.max(1, Math.ceil(Math.sqrt((height * width) / maxCells)));
  const cellsWide = Math.ceil(width / scale);
  const numCells = cellsWide * Math.ceil(height / scale);
  const map: LabelMap = {
    sizeHw,
    scale,
    cells: masks.length < WIDEST_SHORT ? new Uint16Array(numCells) : new Uint32Array(numCells),
    cellsWide,
    slots: [],
    slotOf: new Map(),
    free: [],
    tiles: Array.from({ length: tilesAcross(width) * tilesAcross(height) }, () => new Set<number>()),
  };
  for (const { id, patch } of masks) enter(map, id, patch);
  const box: BoxXyxy = [0, 0, width, height];
  for (const entry of fromLargest(map.slots.filter((slot) => slot !== null))) paint(map, entry, box);
  return map;
};

/** Put a mask on the map, or replace it; returns the box of pixels to draw again. */
export const setPatch = (map: LabelMap, id: string, patch: Patch): BoxXyxy => {
  const before = leave(map, id);
  enter(map, id, patch);
  return repaint(map, uniteBoxes(before, patch.box));
};

/** Take a mask off; returns the box of pixels to draw again, empty if it was not there. */
export const removePatch = (map: LabelMap, id: string): BoxXyxy => repaint(map, leave(map, id));

/** All masks under a point, smallest first. Exact at any scale. */
export const hit = (map: LabelMap, point: ImagePoint): readonly string[] =>
  fromLargest(entriesAt(map, point))
    .toReversed()
    .map((entry) => entry.id);

/** The mask on top at a point, or null. */
export const topmost = (map: LabelMap, point: ImagePoint): string | null => {
  if (map.scale > 1) return hit(map, point)[0] ?? null;
  const [height, width] = map.sizeHw;
  const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
  if (x < 0 || y < 0 || x >= width || y >= height) return null;
  const cell = map.cells[y * map.cellsWide + x]!;
  return cell === 0 ? null : map.slots[cell - 1]!.id;
};

/** The masks whose pixels meet a box, smallest first: a selection by rubber band. */
export const hitBox = (map: LabelMap, box: BoxXyxy): readonly string[] =>
  fromLargest(entriesIn(map, box).filter((entry) => hasPixelIn(entry.patch, box)))
    .toReversed()
    .map((entry) => entry.id);

const tilesAcross = (side: number): number => Math.ceil(side / TILE);

const enter = (map: LabelMap, id: string, patch: Patch): void => {
  if (map.slotOf.has(id)) leave(map, id);
  const slot = map.free.pop() ?? map.slots.length;
  if (slot >= WIDEST_SHORT && map.cells instanceof Uint16Array) map.cells = Uint32Array.from(map.cells);
  map.slots[slot] = { id, patch, slot, area: area(patch) };
  map.slotOf.set(id, slot);
  eachTile(map, patch.box, (tile) => tile.add(slot));
};

const leave = (map: LabelMap, id: string): BoxXyxy => {
  const slot = map.slotOf.get(id);
  if (slot === undefined) return [0, 0, 0, 0];
  const { patch } = map.slots[slot]!;
  eachTile(map, patch.box, (tile) => tile.delete(slot));
  map.slots[slot] = null;
  map.slotOf.delete(id);
  map.free.push(slot);
  return patch.box;
};

const eachTile = (
  { sizeHw: [height, width], tiles }: LabelMap,
  box: BoxXyxy,
  visit: (tile: Set<number>) => void,
): void => {
  const [x1, y1, x2, y2] = intersectBoxes(box, [0, 0, width, height]);
  const across = tilesAcross(width);
  for (let row = Math.floor(y1 / TILE); row < Math.ceil(y2 / TILE); row += 1) {
    for (let column = Math.floor(x1 / TILE); column < Math.ceil(x2 / TILE); column += 1)
      visit(tiles[row * across + column]!);
  }
};

const entriesIn = (map: LabelMap, box: BoxXyxy): Entry[] => {
  const slots = new Set<number>();
  eachTile(map, box, (tile) => tile.forEach((slot) => slots.add(slot)));
  return [...slots].map((slot) => map.slots[slot]!).filter((entry) => boxesMeet(entry.patch.box, box));
};

const entriesAt = (map: LabelMap, point: ImagePoint): Entry[] => {
  const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
  return entriesIn(map, [x, y, x + 1, y + 1]).filter((entry) => contains(entry.patch, point));
};

const hasPixelIn = ({ box, bits }: Patch, other: BoxXyxy): boolean => {
  let found = false;
  const pixels: BoxXyxy = [Math.floor(other[0]), Math.floor(other[1]), Math.ceil(other[2]), Math.ceil(other[3])];
  eachSharedRow(box, pixels, (start, _, length) => {
    found ||= bits.subarray(start, start + length).includes(1);
  });
  return found;
};

/** The order of painting. Equal areas lie in the order of their slots. */
const fromLargest = (entries: readonly Entry[]): Entry[] =>
  entries.toSorted((a, b) => b.area - a.area || a.slot - b.slot);

const repaint = (map: LabelMap, box: BoxXyxy): BoxXyxy => {
  if (isEmptyBox(box)) return box;
  const [x1, y1, x2, y2] = cellsIn(map, box);
  for (let y = y1; y < y2; y += 1) map.cells.fill(0, y * map.cellsWide + x1, y * map.cellsWide + x2);
  for (const entry of fromLargest(entriesIn(map, box))) paint(map, entry, box);
  return box;
};

/** The cells whose sample, the pixel in their middle, lies in a box. */
const cellsIn = ({ scale, sizeHw: [height, width] }: LabelMap, box: BoxXyxy): BoxXyxy => {
  const [x1, y1, x2, y2] = intersectBoxes(box, [0, 0, width, height]);
  const cell = (side: number): number => Math.ceil((side - (scale >> 1)) / scale);
  return [cell(x1), cell(y1), cell(x2), cell(y2)];
};

const paint = (map: LabelMap, { patch, slot }: Entry, within: BoxXyxy): void => {
  const { cells, cellsWide, scale } = map;
  const { box, bits } = patch;
  const [x1, y1, x2, y2] = cellsIn(map, intersectBoxes(box, within));
  const value = slot + 1;
  const middle = scale >> 1;
  for (let y = y1; y < y2; y += 1) {
    let from = (y * scale + middle - box[1]) * (box[2] - box[0]) + x1 * scale + middle - box[0];
    const row = y * cellsWide;
    for (let x = x1; x < x2; x += 1, from += scale) if (bits[from] === 1) cells[row + x] = value;
  }
};
