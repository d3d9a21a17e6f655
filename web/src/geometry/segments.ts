// Distances, angles, and what two segments have to do with each other. Angles are degrees, clockwise on the screen.

import { imagePoint, type ImagePoint } from "./coords";

export const distance = (p: ImagePoint, q: ImagePoint): number => Math.hypot(q.x - p.x, q.y - p.y);

export const isNear = (p: ImagePoint, q: ImagePoint, within: number): boolean => distance(p, q) <= within;

export const midpoint = (p: ImagePoint, q: ImagePoint): ImagePoint => pointBetween(p, q, 0.5);

export const pointBetween = (p: ImagePoint, q: ImagePoint, share: number): ImagePoint =>
  imagePoint(p.x + (q.x - p.x) * share, p.y + (q.y - p.y) * share);

/** How far along from a (0) to b (1) the point of the segment nearest to p lies. */
export const shareAlong = (p: ImagePoint, a: ImagePoint, b: ImagePoint): number => {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const squared = dx * dx + dy * dy;
  if (squared === 0) return 0;
  return Math.min(1, Math.max(0, ((p.x - a.x) * dx + (p.y - a.y) * dy) / squared));
};

export const nearestOnSegment = (p: ImagePoint, a: ImagePoint, b: ImagePoint): ImagePoint =>
  pointBetween(a, b, shareAlong(p, a, b));

export const distanceToSegment = (p: ImagePoint, a: ImagePoint, b: ImagePoint): number =>
  distance(p, nearestOnSegment(p, a, b));

/** Whether a pointer that may be off by `within` pixels hits the segment. */
export const hitsSegment = (p: ImagePoint, a: ImagePoint, b: ImagePoint, within: number): boolean =>
  distanceToSegment(p, a, b) <= within;

/** Twice the area of the triangle: positive if a, b, c turn clockwise on the screen. */
export const turn = (a: ImagePoint, b: ImagePoint, c: ImagePoint): number =>
  (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);

/** Whether two segments share a point; touching counts. */
export const segmentsCross = (a: ImagePoint, b: ImagePoint, c: ImagePoint, d: ImagePoint): boolean => {
  const [c1, d1, a2, b2] = [turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)];
  if (((c1 > 0 && d1 < 0) || (c1 < 0 && d1 > 0)) && ((a2 > 0 && b2 < 0) || (a2 < 0 && b2 > 0))) return true;
  return (
    (c1 === 0 && isBetween(a, b, c)) ||
    (d1 === 0 && isBetween(a, b, d)) ||
    (a2 === 0 && isBetween(c, d, a)) ||
    (b2 === 0 && isBetween(c, d, b))
  );
};

/** The direction from a to b: 0 to the right, 90 downwards, in (-180, 180]. */
export const direction = (a: ImagePoint, b: ImagePoint): number => {
  const degrees = (Math.atan2(b.y - a.y, b.x - a.x) * 180) / Math.PI;
  return degrees === -180 ? 180 : degrees;
};

/** The angle at b between the ways to a and to c, in [0, 180]. */
export const angleAt = (a: ImagePoint, b: ImagePoint, c: ImagePoint): number => {
  const between = Math.abs(direction(b, a) - direction(b, c));
  return between > 180 ? 360 - between : between;
};

const isBetween = (a: ImagePoint, b: ImagePoint, p: ImagePoint): boolean =>
  p.x >= Math.min(a.x, b.x) && p.x <= Math.max(a.x, b.x) && p.y >= Math.min(a.y, b.y) && p.y <= Math.max(a.y, b.y);
