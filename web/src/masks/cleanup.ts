// Cleanup steps with the rules and defaults of Python's `masks.cleanup`, so that what the browser shows is what the
// server would do and what the provenance names.

import { smooth as smoothPolygons } from "../geometry/smooth";
import { area, unionAll } from "./algebra";
import { fill } from "./fill";
import { holes, piecesOf, type Connectivity } from "./islands";
import type { Patch } from "./patch";
import { trace } from "./trace";

/** Fill the holes of at most `maxArea` pixels. Background that touches the image's edge is no hole. */
export const fillHoles = (patch: Patch, maxArea = Infinity, connectivity: Connectivity = 4): Patch => {
  const filled = holes(patch, connectivity).filter((hole) => area(hole) <= maxArea);
  return filled.length === 0 ? patch : unionAll(patch.sizeHw, [patch, ...filled]);
};

/**
 * Drop islands of fewer than `minArea` pixels. When all are smaller the largest stays, unless `keepsLargest` is
 * false.
 */
export const dropIslands = (
  patch: Patch,
  minArea: number,
  connectivity: Connectivity = 8,
  keepsLargest = true,
): Patch => {
  const pieces = piecesOf(patch, connectivity, 1);
  const kept = pieces.filter((piece) => piece.area >= minArea);
  if (kept.length === pieces.length) return patch;
  const chosen = kept.length === 0 && keepsLargest ? pieces.slice(0, 1) : kept;
  return unionAll(
    patch.sizeHw,
    chosen.map((piece) => piece.patch),
  );
};

/** Keep the `count` largest islands. */
export const keepLargest = (patch: Patch, count = 1, connectivity: Connectivity = 8): Patch => {
  const pieces = piecesOf(patch, connectivity, 1);
  if (pieces.length <= count) return patch;
  return unionAll(
    patch.sizeHw,
    pieces.slice(0, count).map((piece) => piece.patch),
  );
};

/** Smooth the outline with a Gaussian of `sigma` pixels along it; the size of the object stays. */
export const smoothBoundary = (patch: Patch, sigma = 2): Patch => fill(smoothPolygons(trace(patch), sigma));
