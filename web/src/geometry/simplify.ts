// Fewer vertices: Douglas and Peucker's rule for open paths and for rings. A dropped vertex stays within `epsilon`
// pixels of the outline. Staircases of traced masks simplify badly; smooth them first (`smooth.ts`), as Python's
// `simplify` says.

import type { ImagePoint } from "./coords";
import { mapRings, numVertices, pointsOf, ringOf, type Polygons, type Ring } from "./rings";
import { distance, distanceToSegment } from "./segments";

/** Keep the ends and the vertices that matter of an open path, such as a lasso's. */
export const simplifyPath = (points: readonly ImagePoint[], epsilon: number): readonly ImagePoint[] => {
  if (points.length < 3) return points;
  const isKept = new Uint8Array(points.length);
  isKept[0] = isKept[points.length - 1] = 1;
  const open: [number, number][] = [[0, points.length - 1]];
  for (let span = open.pop(); span !== undefined; span = open.pop()) {
    const [from, to] = span;
    const furthest = furthestBetween(points, from, to);
    if (furthest.distance <= epsilon) continue;
    isKept[furthest.index] = 1;
    open.push([from, furthest.index], [furthest.index, to]);
  }
  return points.filter((_, i) => isKept[i] === 1);
};

/** A ring that would fall below three vertices stays as it was. */
export const simplifyRing = (ring: Ring, epsilon: number): Ring => {
  if (numVertices(ring) <= 3) return ring;
  const points = pointsOf(ring);
  // Two vertices far apart are kept and divide the ring into two open paths: the one furthest from the first vertex,
  // and the one furthest from that, so that the first vertex itself may go.
  const far = furthestFrom(points, points[0]!);
  const turned = [...points.slice(far), ...points.slice(0, far)];
  const opposite = furthestFrom(turned, turned[0]!);
  const there = simplifyPath(turned.slice(0, opposite + 1), epsilon);
  const back = simplifyPath([...turned.slice(opposite), turned[0]!], epsilon);
  const kept = [...there, ...back.slice(1, -1)];
  return kept.length >= 3 ? ringOf(kept) : ring;
};

export const simplify = (polygons: Polygons, epsilon: number): Polygons =>
  mapRings(polygons, (ring) => simplifyRing(ring, epsilon));

const furthestFrom = (points: readonly ImagePoint[], origin: ImagePoint): number => {
  let best = 0;
  points.forEach((point, i) => {
    if (distance(point, origin) > distance(points[best]!, origin)) best = i;
  });
  return best;
};

const furthestBetween = (points: readonly ImagePoint[], from: number, to: number) => {
  let best = { index: from, distance: 0 };
  for (let index = from + 1; index < to; index += 1) {
    const away = distanceToSegment(points[index]!, points[from]!, points[to]!);
    if (away > best.distance) best = { index, distance: away };
  }
  return best;
};
