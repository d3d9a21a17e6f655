// A mask's outline along the edges of its pixels: Python's `masks.trace`, ring for ring and vertex for vertex, so that
// `fill(trace(patch))` is the mask again on either side. It costs the pixels of the box once, then corners only.

import type { Island, Polygons, Ring } from "../geometry/rings";
import { signedArea } from "../geometry/rings";
import { columnEdges, type ColumnEdges } from "./bits";
import type { Patch } from "./patch";

/** Follow the outlines of a mask. All rings share one buffer, so that a worker hands them over at once. */
export const trace = ({ sizeHw, box, bits }: Patch): Polygons => {
  const [left, top, right, bottom] = box;
  if (bits.length === 0) return { sizeHw, islands: [] };
  const edges = columnEdges(bits, right - left, bottom - top);
  if (edges.rows.length === 0) return { sizeHw, islands: [] };
  const corners = linkCorners(findCorners(edges, right - left), bottom - top);
  const paths = walk(corners);
  return { sizeHw, islands: islandsOf(paths, corners, edges, left, top) };
};

/**
 * The points where the outline turns, in column order; one where pixels meet diagonally is there twice. `rightOf` and
 * `leftOf` are the pixel edges beside the point: 1 if the mask lies below the edge, -1 if above, 0 if there is no
 * edge.
 */
type Turns = {
  readonly count: number;
  readonly x: Int32Array;
  readonly y: Int32Array;
  readonly rightOf: Int8Array;
  readonly leftOf: Int8Array;
};

type Corners = Turns & {
  readonly next: Int32Array;
  readonly byRow: Int32Array; // corners in the order of rows, then columns
  readonly rowStart: Int32Array; // where each row starts in byRow
};

/**
 * A lattice point is a turn if exactly one of the pixel edges to its left and right belongs to the outline, or if
 * both do with the mask on opposite sides: then two pixels meet diagonally, and each keeps to itself.
 */
const findCorners = ({ offsets, rows }: ColumnEdges, width: number): Turns => {
  const most = rows.length * 2;
  const turns = {
    x: new Int32Array(most),
    y: new Int32Array(most),
    rightOf: new Int8Array(most),
    leftOf: new Int8Array(most),
  };
  let count = 0;
  const add = (x: number, y: number, rightOf: number, leftOf: number): void => {
    turns.x[count] = x;
    turns.y[count] = y;
    turns.rightOf[count] = rightOf;
    turns.leftOf[count] = leftOf;
    count += 1;
  };
  for (let x = 0; x <= width; x += 1) {
    let l = x > 0 ? offsets[x - 1]! : 0;
    const lEnd = x > 0 ? offsets[x]! : 0;
    let r = x < width ? offsets[x]! : 0;
    const rStart = r;
    const lStart = l;
    const rEnd = x < width ? offsets[x + 1]! : 0;
    while (l < lEnd || r < rEnd) {
      const yl = l < lEnd ? rows[l]! : Infinity;
      const yr = r < rEnd ? rows[r]! : Infinity;
      const y = Math.min(yl, yr);
      const leftOf = yl === y ? ((l++ - lStart) % 2 === 0 ? 1 : -1) : 0;
      const rightOf = yr === y ? ((r++ - rStart) % 2 === 0 ? 1 : -1) : 0;
      if (leftOf === rightOf) continue;
      add(x, y, rightOf, leftOf);
      if (leftOf !== 0 && rightOf !== 0) add(x, y, rightOf, leftOf);
    }
  }
  return { count, ...turns };
};

/**
 * Pair corners along columns and rows, and choose the direction that keeps the mask on the right hand (y points
 * down).
 */
const linkCorners = (turns: Turns, height: number): Corners => {
  const { count, rightOf, leftOf } = turns;
  const { byRow, rowStart } = orderByRow(turns, height);
  const next = new Int32Array(count);
  for (let position = 0; position < count; position += 1) {
    const at = byRow[position]!;
    const opens = position % 2 === 0; // the left end of its horizontal segment
    const side = opens ? rightOf[at]! : leftOf[at]!;
    // Clockwise on screen: along a top edge (mask below) go right, along a bottom edge go left.
    const leavesByRow = opens === side > 0;
    next[at] = leavesByRow ? byRow[position ^ 1]! : at ^ 1;
  }
  return { ...turns, next, byRow, rowStart };
};

/**
 * In a column a saddle's first copy ends the edge above and its second begins the edge below. In a row the copy that
 * ends the left edge comes first: the upper one if the mask lies upper left, else the lower one.
 */
const orderByRow = ({ count, y, rightOf, leftOf }: Turns, height: number) => {
  const rowStart = new Int32Array(height + 2);
  for (let i = 0; i < count; i += 1) rowStart[y[i]! + 1]! += 1;
  for (let row = 0; row <= height; row += 1) rowStart[row + 1]! += rowStart[row]!;
  const free = rowStart.slice();
  const byRow = new Int32Array(count);
  for (let i = 0; i < count; i += 1) {
    const isFirstOfSaddle = rightOf[i] !== 0 && leftOf[i] !== 0;
    const row = y[i]!;
    if (!isFirstOfSaddle) {
      byRow[free[row]!] = i;
      free[row]! += 1;
      continue;
    }
    const upperTakesLeft = leftOf[i]! < 0; // the mask is above the left edge
    byRow[free[row]!] = upperTakesLeft ? i : i + 1;
    byRow[free[row]! + 1] = upperTakesLeft ? i + 1 : i;
    free[row]! += 2;
    i += 1; // the copy is placed already
  }
  return { byRow, rowStart };
};

/** Walk the links into rings, cutting a ring in two wherever it would touch itself. */
const walk = ({ count, rightOf, leftOf, next }: Corners): number[][] => {
  const isSeen = new Uint8Array(count);
  const first = firstCopies(count, rightOf, leftOf);
  const place = new Int32Array(count).fill(-1); // of a saddle's point: its index in the open path
  const paths: number[][] = [];
  for (let start = 0; start < count; start += 1) {
    if (isSeen[start] === 1) continue;
    const open: number[] = [];
    for (let at = start; isSeen[at] === 0; at = next[at]!) {
      isSeen[at] = 1;
      const point = first[at]!;
      if (place[point]! >= 0) {
        const ring = open.splice(place[point]!);
        for (const passed of ring) place[first[passed]!] = -1;
        paths.push(ring);
      }
      place[point] = open.length;
      open.push(at);
    }
    for (const passed of open) place[first[passed]!] = -1;
    paths.push(open);
  }
  return paths;
};

/** For each corner the first of the two that share its point. */
const firstCopies = (count: number, rightOf: Int8Array, leftOf: Int8Array): Int32Array => {
  const first = new Int32Array(count);
  for (let i = 0; i < count; i += 1) {
    first[i] = i;
    if (rightOf[i] === 0 || leftOf[i] === 0) continue;
    i += 1;
    first[i] = i - 1;
  }
  return first;
};

/**
 * Give each hole to the exterior around it. The pixel to the left of a hole's leftmost edge belongs to the same
 * island; the top of that pixel's run is an edge of a ring that begins further left, whose island is known already if
 * rings are taken from left to right.
 */
const islandsOf = (paths: number[][], corners: Corners, edges: ColumnEdges, left: number, top: number): Island[] => {
  const ringAt = new Int32Array(corners.count);
  paths.forEach((path, i) => path.forEach((corner) => (ringAt[corner] = i)));
  const rings = drawRings(paths, corners, left, top);
  const leftmost = paths.map((path) => path.reduce((least, corner) => Math.min(least, corner)));
  const owner = new Int32Array(paths.length);
  const islands = new Map<number, { exterior: Ring; holes: Ring[] }>();
  const fromLeft = paths.map((_, i) => i).sort((i, j) => leftmost[i]! - leftmost[j]!);
  for (const i of fromLeft) {
    const ring = rings[i]!;
    if (signedArea(ring) > 0) {
      owner[i] = i;
      islands.set(i, { exterior: ring, holes: [] });
      continue;
    }
    const x = corners.x[leftmost[i]!]! - 1;
    owner[i] = owner[ringAt[cornerAbove(corners, edges, x, corners.y[leftmost[i]!]!)]!]!;
    islands.get(owner[i]!)!.holes.push(ring);
  }
  return [...islands.values()];
};

/** The corner where the top edge of the run through pixel (x, y) begins. */
const cornerAbove = (
  { byRow, rowStart, x: xs }: Corners,
  { offsets, rows }: ColumnEdges,
  x: number,
  y: number,
): number => {
  let run = offsets[x]!;
  while (run + 2 < offsets[x + 1]! && rows[run + 2]! <= y) run += 2;
  const top = rows[run]!;
  let [low, high] = [rowStart[top]!, rowStart[top + 1]!]; // the last corner of the row at or left of x
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[byRow[middle]!]! <= x) low = middle;
    else high = middle;
  }
  return byRow[low]!;
};

const drawRings = (paths: number[][], { count, x, y }: Corners, left: number, top: number): Ring[] => {
  const buffer = new Float64Array(count * 2);
  let used = 0;
  return paths.map((path) => {
    const ring = buffer.subarray(used, used + path.length * 2);
    path.forEach((corner, i) => {
      ring[2 * i] = x[corner]! + left;
      ring[2 * i + 1] = y[corner]! + top;
    });
    used += path.length * 2;
    return ring;
  });
};
