// Where a drawn point goes when it is near something: a vertex, then an edge, then the image's border; or a fixed
// angle.

import { imagePoint, type ImagePoint, type SizeHw } from "./coords";
import { hitEdge, hitVertex } from "./hits";
import type { Ring } from "./rings";
import { direction, distance } from "./segments";

export type Snap = { readonly at: ImagePoint; readonly to: "vertex" | "edge" | "border" | "nothing" };

/** Move a point onto the nearest vertex of `rings` within reach, else edge, else border of the image. */
export const snap = (p: ImagePoint, rings: readonly Ring[], sizeHw: SizeHw, within: number): Snap => {
  const vertex = closest(rings.map((ring) => hitVertex(ring, p, within)));
  if (vertex !== null) return { at: vertex, to: "vertex" };
  const edge = closest(rings.map((ring) => hitEdge(ring, p, within)));
  if (edge !== null) return { at: edge, to: "edge" };
  const border = snapToBorder(p, sizeHw, within);
  return border === null ? { at: p, to: "nothing" } : { at: border, to: "border" };
};

/** Move a point onto the border of the image where it is within reach; into a corner, if both sides are. */
export const snapToBorder = (p: ImagePoint, [height, width]: SizeHw, within: number): ImagePoint | null => {
  const x = nearestOf(p.x, 0, width, within);
  const y = nearestOf(p.y, 0, height, within);
  return x === p.x && y === p.y ? null : imagePoint(x, y);
};

/** Turn the way from `from` to `p` to the nearest multiple of `step` degrees, keeping its length. */
export const snapToAngle = (from: ImagePoint, p: ImagePoint, step: number): ImagePoint => {
  const radians = ((Math.round(direction(from, p) / step) * step) / 180) * Math.PI;
  const length = distance(from, p);
  return imagePoint(from.x + length * Math.cos(radians), from.y + length * Math.sin(radians));
};

/** The corner of a pixel nearest to a point. */
export const snapToPixel = (p: ImagePoint): ImagePoint => imagePoint(Math.round(p.x), Math.round(p.y));

/** Keep a point inside the image, its right and lower border included. */
export const clampToImage = (p: ImagePoint, [height, width]: SizeHw): ImagePoint =>
  imagePoint(Math.min(width, Math.max(0, p.x)), Math.min(height, Math.max(0, p.y)));

const nearestOf = (value: number, low: number, high: number, within: number): number => {
  if (Math.abs(value - low) <= within) return low;
  return Math.abs(value - high) <= within ? high : value;
};

const closest = (hits: readonly ({ at: ImagePoint; distance: number } | null)[]): ImagePoint | null => {
  let best: { at: ImagePoint; distance: number } | null = null;
  for (const hit of hits) if (hit !== null && (best === null || hit.distance < best.distance)) best = hit;
  return best === null ? null : best.at;
};
