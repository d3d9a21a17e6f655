// Polygons to pixels with Python's `masks.fill` rule, bit for bit: a pixel is set if its centre lies inside an island
// and not in one of its holes. Within an island the even-odd rule decides; islands that overlap are joined.

import { clipBox, isEmptyBox, uniteBoxes } from "../geometry/boxes";
import type { BoxXyxy, ImagePoint, SizeHw } from "../geometry/coords";
import { ringBox, ringOf, ringsOf, type Island, type Polygons, type Ring } from "../geometry/rings";
import { unionAll } from "./algebra";
import { fillDown, patchOf } from "./bits";
import { emptyPatch, type Patch } from "./patch";

/** Draw polygons. What leaves the image is cut off; a ring of fewer than three vertices has no pixels. */
export const fill = ({ sizeHw, islands }: Polygons): Patch => {
  const drawn = islands.map((island) => fillIsland(island, sizeHw));
  return drawn.length === 1 ? drawn[0]! : unionAll(sizeHw, drawn);
};

export const fillIsland = (island: Island, sizeHw: SizeHw): Patch => {
  const rings = ringsOf(island).filter(isDrawable);
  const box = reach(rings, sizeHw);
  if (isEmptyBox(box)) return emptyPatch(sizeHw);
  const width = box[2] - box[0];
  const bits = new Uint8Array(width * (box[3] - box[1]));
  for (const ring of rings) {
    eachCrossing(ring, sizeHw, box, (at) => {
      bits[at] = bits[at]! ^ 1;
    });
  }
  fillDown(bits, width);
  return patchOf(sizeHw, box, bits);
};

/** Everything that a freehand path goes round, also where it crosses itself (the nonzero rule); the path is closed. */
export const lasso = (path: readonly ImagePoint[], sizeHw: SizeHw): Patch => {
  const ring = ringOf(path);
  const box = isDrawable(ring) ? reach([ring], sizeHw) : clipBox([0, 0, 0, 0], sizeHw);
  if (isEmptyBox(box)) return emptyPatch(sizeHw);
  const width = box[2] - box[0];
  const windings = new Int16Array(width * (box[3] - box[1]));
  eachCrossing(ring, sizeHw, box, (at, side) => {
    windings[at] = windings[at]! + side;
  });
  const bits = new Uint8Array(windings.length);
  for (let i = 0; i < bits.length; i += 1) {
    if (i >= width) windings[i] = windings[i]! + windings[i - width]!;
    bits[i] = windings[i] === 0 ? 0 : 1;
  }
  return patchOf(sizeHw, box, bits);
};

const isDrawable = (ring: Ring): boolean => ring.length >= 6 && ring.every(Number.isFinite);

/** The pixels that rings may set, and one row more: a crossing may round past the last by a hair. */
const reach = (rings: readonly Ring[], sizeHw: SizeHw): BoxXyxy => {
  const [x1, y1, x2, y2] = rings.map(ringBox).reduce(uniteBoxes, [0, 0, 0, 0]);
  const centres = [x1, y1, x2, y2].map((side) => Math.ceil(side - 0.5)) as [number, number, number, number];
  return clipBox([centres[0], centres[1], centres[2], centres[3] + 1], sizeHw);
};

/**
 * Visit, as places in the box, the first pixel centre at or below each crossing of a ring with a column's centre
 * line, and which way the ring crosses. The arithmetic is Python's to the last bit, so that both sides agree on ties.
 */
const eachCrossing = (
  ring: Ring,
  [height, width]: SizeHw,
  box: BoxXyxy,
  visit: (at: number, side: 1 | -1) => void,
): void => {
  const boxWidth = box[2] - box[0];
  for (let i = ring.length - 2, j = 0; j < ring.length; i = j, j += 2) {
    const isLeftward = ring[i]! > ring[j]!;
    const [a, b] = isLeftward ? [j, i] : [i, j];
    const [ax, ay, bx, by] = [ring[a]!, ring[a + 1]!, ring[b]!, ring[b + 1]!];
    // columns whose centre line lies in [ax, bx): half open, so a shared vertex counts once
    const first = Math.min(width, Math.max(0, Math.ceil(ax - 0.5)));
    const last = Math.min(width, Math.max(0, Math.ceil(bx - 0.5)));
    const slope = (by - ay) / (bx - ax);
    for (let x = first; x < last; x += 1) {
      const y = ay + (x + 0.5 - ax) * slope;
      const row = Math.min(height, Math.max(0, Math.ceil(y - 0.5)));
      if (row < box[3]) visit((Math.max(row, box[1]) - box[1]) * boxWidth + x - box[0], isLeftward ? -1 : 1);
    }
  }
};
