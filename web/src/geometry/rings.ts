// Outlines: rings of vertices, islands with holes, and a mask's polygons; the names and rules of Python's
// `masks.trace`. A ring is flat: x0, y0, x1, y1, ... in image pixels, the last vertex joined to the first. Vertices
// lie on the corners of pixels where they are traced, anywhere where people draw them. Seen on the screen exteriors
// run clockwise, holes the other way. Values are never changed: every operation gives a new ring.

import { EMPTY_BOX } from "./boxes";
import { imagePoint, type BoxXyxy, type ImagePoint, type SizeHw } from "./coords";
import { segmentsCross } from "./segments";

export type Ring = Float64Array;
export type Island = { readonly exterior: Ring; readonly holes: readonly Ring[] };
export type Polygons = { readonly sizeHw: SizeHw; readonly islands: readonly Island[] };

export const numVertices = (ring: Ring): number => ring.length >> 1;

/** Count the vertices of all rings. */
export const numVerticesOf = (polygons: Polygons): number =>
  polygons.islands.reduce((sum, island) => sum + ringsOf(island).reduce((n, ring) => n + numVertices(ring), 0), 0);

export const ringsOf = (island: Island): readonly Ring[] => [island.exterior, ...island.holes];

export const ringOf = (points: readonly ImagePoint[]): Ring => {
  const ring = new Float64Array(points.length * 2);
  points.forEach(({ x, y }, i) => ring.set([x, y], 2 * i));
  return ring;
};

/** The vertex at an index; indices go round, so -1 is the last. */
export const vertexOf = (ring: Ring, index: number): ImagePoint => {
  const count = numVertices(ring);
  const at = 2 * (((index % count) + count) % count);
  return imagePoint(ring[at]!, ring[at + 1]!);
};

export const pointsOf = (ring: Ring): readonly ImagePoint[] =>
  Array.from({ length: numVertices(ring) }, (_, i) => imagePoint(ring[2 * i]!, ring[2 * i + 1]!));

/** The area, positive if the ring runs clockwise on the screen. */
export const signedArea = (ring: Ring): number => {
  let twice = 0;
  for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
    twice += ring[j]! * ring[i + 1]! - ring[i]! * ring[j + 1]!;
  }
  return twice / 2;
};

/** The area of polygons whose rings do not cross: exteriors less holes. */
export const areaOf = (polygons: Polygons): number =>
  polygons.islands.reduce((sum, { exterior, holes }) => {
    const inner = holes.reduce((area, hole) => area + Math.abs(signedArea(hole)), 0);
    return sum + Math.abs(signedArea(exterior)) - inner;
  }, 0);

export const perimeter = (ring: Ring): number => {
  let length = 0;
  for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
    length += Math.hypot(ring[i]! - ring[j]!, ring[i + 1]! - ring[j + 1]!);
  }
  return length;
};

export const ringBox = (ring: Ring): BoxXyxy => {
  let [x1, y1, x2, y2] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < ring.length; i += 2) {
    x1 = Math.min(x1, ring[i]!);
    x2 = Math.max(x2, ring[i]!);
    y1 = Math.min(y1, ring[i + 1]!);
    y2 = Math.max(y2, ring[i + 1]!);
  }
  return x1 <= x2 ? [x1, y1, x2, y2] : EMPTY_BOX;
};

/**
 * Whether a point is inside by the even-odd rule; a point on the left or upper edge is, on the right or lower is
 * not.
 */
export const isInRing = (ring: Ring, { x, y }: ImagePoint): boolean => {
  let isInside = false;
  for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
    const [ax, ay, bx, by] = [ring[j]!, ring[j + 1]!, ring[i]!, ring[i + 1]!];
    if (ay > y !== by > y && x >= ax + ((y - ay) * (bx - ax)) / (by - ay)) isInside = !isInside;
  }
  return isInside;
};

/** Even-odd over the exterior and the holes together, as `fill` draws it. */
export const isInIsland = (island: Island, point: ImagePoint): boolean =>
  ringsOf(island).reduce((isInside, ring) => isInside !== isInRing(ring, point), false);

export const isInPolygons = (polygons: Polygons, point: ImagePoint): boolean =>
  polygons.islands.some((island) => isInIsland(island, point));

/** Whether an edge crosses or touches another that is not its neighbour. Costs the square of the vertices. */
export const crossesItself = (ring: Ring): boolean => {
  const count = numVertices(ring);
  const points = pointsOf(ring);
  const point = (i: number): ImagePoint => points[i % count]!;
  for (let i = 0; i < count; i += 1) {
    for (let j = i + 2; j < count; j += 1) {
      if (i === 0 && j === count - 1) continue;
      if (segmentsCross(point(i), point(i + 1), point(j), point(j + 1))) return true;
    }
  }
  return false;
};

/** Put a vertex between `index` and the next. */
export const insertVertex = (ring: Ring, index: number, { x, y }: ImagePoint): Ring => {
  const longer = new Float64Array(ring.length + 2);
  longer.set(ring.subarray(0, 2 * index + 2));
  longer.set([x, y], 2 * index + 2);
  longer.set(ring.subarray(2 * index + 2), 2 * index + 4);
  return longer;
};

export const moveVertex = (ring: Ring, index: number, { x, y }: ImagePoint): Ring => {
  const moved = ring.slice();
  moved.set([x, y], 2 * index);
  return moved;
};

/** Take a vertex out; null when fewer than three would be left, which is no ring any more. */
export const removeVertex = (ring: Ring, index: number): Ring | null => {
  if (numVertices(ring) <= 3) return null;
  const shorter = new Float64Array(ring.length - 2);
  shorter.set(ring.subarray(0, 2 * index));
  shorter.set(ring.subarray(2 * index + 2), 2 * index);
  return shorter;
};

export const translateRing = (ring: Ring, dx: number, dy: number): Ring =>
  ring.map((value, i) => value + (i % 2 === 0 ? dx : dy));

export const reverseRing = (ring: Ring): Ring => ringOf(pointsOf(ring).toReversed());

export const mapRings = (polygons: Polygons, change: (ring: Ring) => Ring): Polygons => ({
  sizeHw: polygons.sizeHw,
  islands: polygons.islands.map(({ exterior, holes }) => ({ exterior: change(exterior), holes: holes.map(change) })),
});
