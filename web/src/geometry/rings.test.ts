import { expect, test } from "vitest";
import { eachSeed, randomPoint } from "../masks/testing";
import { imagePoint, type SizeHw } from "./coords";
import { hitEdge, hitPolygons, hitVertex } from "./hits";
import {
  areaOf,
  crossesItself,
  insertVertex,
  isInIsland,
  isInRing,
  moveVertex,
  numVertices,
  numVerticesOf,
  perimeter,
  pointsOf,
  removeVertex,
  reverseRing,
  ringBox,
  ringOf,
  signedArea,
  translateRing,
  vertexOf,
  type Polygons,
} from "./rings";
import { distanceToSegment } from "./segments";
import { simplifyPath, simplifyRing } from "./simplify";
import { smoothRing } from "./smooth";

const p = imagePoint;
const SQUARE = Float64Array.of(2, 2, 8, 2, 8, 8, 2, 8);
const HOLE = Float64Array.of(4, 4, 4, 6, 6, 6, 6, 4);
const POLYGONS: Polygons = { sizeHw: [10, 10], islands: [{ exterior: SQUARE, holes: [HOLE] }] };

test("a square has its area, its length, its box, and runs clockwise on the screen", () => {
  expect([signedArea(SQUARE), signedArea(HOLE), areaOf(POLYGONS)]).toEqual([36, -4, 32]);
  expect(signedArea(reverseRing(SQUARE))).toBe(-36);
  expect([perimeter(SQUARE), numVertices(SQUARE), numVerticesOf(POLYGONS)]).toEqual([24, 4, 8]);
  expect(ringBox(SQUARE)).toEqual([2, 2, 8, 8]);
  expect(ringBox(new Float64Array())).toEqual([0, 0, 0, 0]);
});

test("a hole is outside, and upper left edges are inside", () => {
  expect(isInIsland(POLYGONS.islands[0]!, p(3, 3))).toBe(true);
  expect(isInIsland(POLYGONS.islands[0]!, p(5, 5))).toBe(false);
  expect([isInRing(SQUARE, p(2, 2)), isInRing(SQUARE, p(8, 5)), isInRing(SQUARE, p(5, 8))]).toEqual([
    true,
    false,
    false,
  ]);
});

test("editing a vertex makes a new ring and leaves the old one", () => {
  const longer = insertVertex(SQUARE, 3, p(1, 5));

  expect(pointsOf(longer)).toEqual([...pointsOf(SQUARE), p(1, 5)]);
  expect(removeVertex(longer, 4)).toEqual(SQUARE);
  expect(vertexOf(moveVertex(SQUARE, 1, p(9, 1)), 1)).toEqual(p(9, 1));
  expect(translateRing(SQUARE, 1, -1)).toEqual(Float64Array.of(3, 1, 9, 1, 9, 7, 3, 7));
  expect([...SQUARE]).toEqual([2, 2, 8, 2, 8, 8, 2, 8]);
  expect([vertexOf(SQUARE, -1), vertexOf(SQUARE, 4)]).toEqual([p(2, 8), p(2, 2)]);
});

test("a triangle keeps its vertices", () => {
  expect(removeVertex(ringOf([p(0, 0), p(1, 0), p(0, 1)]), 0)).toBeNull();
});

test("a ring that crosses itself is seen", () => {
  expect(crossesItself(SQUARE)).toBe(false);
  expect(crossesItself(Float64Array.of(2, 2, 8, 8, 8, 2, 2, 8))).toBe(true);
});

test("a vertex is hit before an edge, and the nearest ring is", () => {
  expect(hitVertex(SQUARE, p(7.5, 2.5), 1)).toMatchObject({ index: 1, at: p(8, 2) });
  expect(hitVertex(SQUARE, p(5, 2), 1)).toBeNull();
  expect(hitEdge(SQUARE, p(1.5, 5), 1)).toMatchObject({ index: 3, at: p(2, 5), distance: 0.5 });
  expect(hitPolygons(POLYGONS, p(4.2, 4.1), 3)).toMatchObject({ kind: "vertex", island: 0, hole: 0, index: 0 });
  expect(hitPolygons(POLYGONS, p(5, 2.4), 1)).toMatchObject({ kind: "edge", island: 0, hole: null, index: 0 });
  expect(hitPolygons(POLYGONS, p(0, 0), 1)).toBeNull();
});

test("vertices dropped by simplifying stay within epsilon of the outline", () => {
  const size: SizeHw = [30, 30];
  eachSeed(100, (random) => {
    const points = Array.from({ length: 3 + random.below(20) }, () => randomPoint(random, size));
    const epsilon = random.unit() * 5;

    const kept = simplifyRing(ringOf(points), epsilon);
    const path = simplifyPath(points, epsilon);

    const away = (at: (typeof points)[number], ring: readonly (typeof at)[], isClosed: boolean): number =>
      Math.min(
        ...ring.slice(isClosed ? 0 : 1).map((to, i) => distanceToSegment(at, ring.at(isClosed ? i - 1 : i)!, to)),
      );
    for (const point of points) {
      expect(away(point, pointsOf(kept), true)).toBeLessThanOrEqual(epsilon + 1e-9);
      expect(away(point, path, false)).toBeLessThanOrEqual(epsilon + 1e-9);
    }
    expect(numVertices(kept)).toBeGreaterThanOrEqual(3);
    expect([path[0], path.at(-1)]).toEqual([points[0], points.at(-1)]);
  });
});

test("points along straight edges go when nothing may move", () => {
  const dotted = Float64Array.of(2, 2, 4, 2, 8, 2, 8, 5, 8, 8, 2, 8, 2, 7);

  expect(Math.abs(signedArea(simplifyRing(dotted, 0)))).toBe(36);
  expect(numVertices(simplifyRing(dotted, 0))).toBe(4);
});

test("a smoothed ring keeps its centre and nearly its area", () => {
  const large = SQUARE.map((value) => value * 10);

  const smoothed = smoothRing(large, 3);

  expect(signedArea(smoothed) / signedArea(large)).toBeCloseTo(1, 1);
  expect(numVertices(smoothed)).toBe(240);
  const [x1, y1, x2, y2] = ringBox(smoothed);
  expect((x1 + x2) / 2).toBeCloseTo(50);
  expect((y1 + y2) / 2).toBeCloseTo(50);
});
