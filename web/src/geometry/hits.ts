// What of an outline a pointer is on: a vertex first, then an edge. `within` is a distance in image pixels; the caller
// turns the fingertip's screen pixels into it.

import type { ImagePoint } from "./coords";
import { numVertices, ringsOf, vertexOf, type Polygons, type Ring } from "./rings";
import { distance, nearestOnSegment } from "./segments";

export type VertexHit = { readonly index: number; readonly at: ImagePoint; readonly distance: number };
/** The edge from vertex `index` to the next; `at` is the nearest point on it. */
export type EdgeHit = VertexHit;

/** A hit on one ring of many: `hole` is null on the exterior. */
export type RingHit = VertexHit & {
  readonly kind: "vertex" | "edge";
  readonly island: number;
  readonly hole: number | null;
};

export const hitVertex = (ring: Ring, p: ImagePoint, within: number): VertexHit | null =>
  nearest(ring, p, within, (i) => vertexOf(ring, i));

export const hitEdge = (ring: Ring, p: ImagePoint, within: number): EdgeHit | null =>
  nearest(ring, p, within, (i) => nearestOnSegment(p, vertexOf(ring, i), vertexOf(ring, i + 1)));

/** The nearest vertex of all rings within reach, else the nearest edge, else null. */
export const hitPolygons = (polygons: Polygons, p: ImagePoint, within: number): RingHit | null => {
  for (const [kind, hit] of [
    ["vertex", hitVertex],
    ["edge", hitEdge],
  ] as const) {
    let best: RingHit | null = null;
    polygons.islands.forEach((each, island) => {
      ringsOf(each).forEach((ring, i) => {
        const found = hit(ring, p, best?.distance ?? within);
        if (found !== null && (best === null || found.distance < best.distance)) {
          best = { ...found, kind, island, hole: i === 0 ? null : i - 1 };
        }
      });
    });
    if (best !== null) return best;
  }
  return null;
};

const nearest = (ring: Ring, p: ImagePoint, within: number, place: (i: number) => ImagePoint): VertexHit | null => {
  let best: VertexHit | null = null;
  for (let index = 0; index < numVertices(ring); index += 1) {
    const at = place(index);
    const away = distance(p, at);
    if (away <= within && (best === null || away < best.distance)) best = { index, at, distance: away };
  }
  return best;
};
