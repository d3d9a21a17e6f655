// A round brush on the mask in hand. A pixel is painted if its centre lies within `radius` of the path, so strokes
// have no gaps however fast the pointer moves, and centres may lie anywhere between pixels; the pixel under the
// pointer is always painted. Adding paints pixels in, erasing takes them out.
//
// `beginStroke`, `extendStroke` and `endStroke` are for the hand: a stroke owns a bitmap with room around it and
// changes it in place, so a move costs its own pixels and not the mask's. `paintStroke` is the same as a value from a
// value.

import { clipBox, growBox, intersectBoxes, isEmptyBox, isSameBox, pixelBox, uniteBoxes } from "../geometry/boxes";
import type { BoxXyxy, ImagePoint, SizeHw } from "../geometry/coords";
import { patchOf, windowOf } from "./bits";
import type { Patch } from "./patch";

export type Brush = { readonly radius: number; readonly isErasing: boolean };

/** A stroke under way. Only this file changes it; `strokePatch` shows what it has done so far. */
export type Stroke = {
  readonly sizeHw: SizeHw;
  readonly brush: Brush;
  box: BoxXyxy;
  bits: Uint8Array;
  last: ImagePoint | null;
};

const ROOM = 128; // px that the bitmap grows by beyond what is needed, so that it grows seldom

export const beginStroke = (patch: Patch, brush: Brush): Stroke => ({
  sizeHw: patch.sizeHw,
  brush,
  box: patch.box,
  bits: patch.bits.slice(),
  last: null,
});

/** Paint on to a point and return the box of pixels that may have changed, empty if none. */
export const extendStroke = (stroke: Stroke, to: ImagePoint): BoxXyxy => {
  const from = stroke.last ?? to;
  stroke.last = to;
  const radius = Math.max(0.5, stroke.brush.radius); // below it, a stroke between pixels would have gaps
  const reach = pixelBox(growBox(spanOf(from, to), radius));
  const changed = stroke.brush.isErasing ? intersectBoxes(reach, stroke.box) : clipBox(reach, stroke.sizeHw);
  if (isEmptyBox(changed)) return changed;
  if (!stroke.brush.isErasing) makeRoom(stroke, changed);
  const value = stroke.brush.isErasing ? 0 : 1;
  eachRow(from, to, radius, changed, (y, x1, x2) => {
    const row = (y - stroke.box[1]) * (stroke.box[2] - stroke.box[0]) - stroke.box[0];
    stroke.bits.fill(value, row + x1, row + x2);
  });
  return changed;
};

/**
 * What the stroke shows now. It shares the stroke's bitmap: draw it, do not keep it; its box may be wider than its
 * pixels.
 */
export const strokePatch = ({ sizeHw, box, bits }: Stroke): Patch => ({ sizeHw, box, bits });

export const endStroke = (stroke: Stroke): Patch => {
  const patch = patchOf(stroke.sizeHw, stroke.box, stroke.bits);
  return patch.bits === stroke.bits ? { ...patch, bits: patch.bits.slice() } : patch;
};

/** The whole stroke at once. */
export const paintStroke = (patch: Patch, path: readonly ImagePoint[], brush: Brush): Patch => {
  const stroke = beginStroke(patch, brush);
  for (const point of path) extendStroke(stroke, point);
  return endStroke(stroke);
};

const spanOf = (a: ImagePoint, b: ImagePoint): BoxXyxy => [
  Math.min(a.x, b.x) - 1, // a pixel of room, for the pixel under the pointer
  Math.min(a.y, b.y) - 1,
  Math.max(a.x, b.x) + 1,
  Math.max(a.y, b.y) + 1,
];

const makeRoom = (stroke: Stroke, needed: BoxXyxy): void => {
  const box = uniteBoxes(stroke.box, needed);
  if (isSameBox(box, stroke.box)) return;
  const roomy = clipBox(growBox(box, ROOM), stroke.sizeHw);
  stroke.bits = windowOf(stroke.bits, stroke.box, roomy);
  stroke.box = roomy;
};

/** Visit, inside `limits`, the rows of pixels whose centres lie within `radius` of a segment: each is one interval. */
const eachRow = (
  a: ImagePoint,
  b: ImagePoint,
  radius: number,
  limits: BoxXyxy,
  visit: (y: number, x1: number, x2: number) => void,
): void => {
  for (let y = limits[1]; y < limits[3]; y += 1) {
    const [from, to] = extentOfRow(a, b, radius, y + 0.5);
    let x1 = Math.ceil(from - 0.5);
    let x2 = Math.floor(to - 0.5) + 1;
    for (const end of [a, b]) {
      if (Math.floor(end.y) !== y) continue;
      const under = Math.floor(end.x);
      [x1, x2] = x1 < x2 ? [Math.min(x1, under), Math.max(x2, under + 1)] : [under, under + 1];
    }
    x1 = Math.max(x1, limits[0]);
    x2 = Math.min(x2, limits[2]);
    if (x1 < x2) visit(y, x1, x2);
  }
};

/** Where the line y meets the capsule of a segment: two discs and the rectangle between them, which is convex. */
const extentOfRow = (a: ImagePoint, b: ImagePoint, radius: number, y: number): readonly [number, number] => {
  let [from, to] = [Infinity, -Infinity];
  for (const end of [a, b]) {
    const squared = radius * radius - (y - end.y) ** 2;
    if (squared < 0) continue;
    from = Math.min(from, end.x - Math.sqrt(squared));
    to = Math.max(to, end.x + Math.sqrt(squared));
  }
  const length = Math.hypot(b.x - a.x, b.y - a.y);
  if (length === 0) return [from, to];
  const [nx, ny] = [(-(b.y - a.y) / length) * radius, ((b.x - a.x) / length) * radius];
  for (const side of [1, -1]) {
    // the two long sides of the rectangle; its short ones lie within the discs
    const [x1, y1, x2, y2] = [a.x + side * nx, a.y + side * ny, b.x + side * nx, b.y + side * ny];
    if (y1 === y2 || y < Math.min(y1, y2) || y > Math.max(y1, y2)) continue;
    const x = x1 + ((y - y1) / (y2 - y1)) * (x2 - x1);
    from = Math.min(from, x);
    to = Math.max(to, x);
  }
  return [from, to];
};
