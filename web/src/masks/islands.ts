// Islands and holes of a mask, found on the runs of its rows. Two pixels belong together if they touch: at an edge
// (connectivity 4), or also at a corner (8). With islands of 8, holes are of 4, and the other way round, as in Python.

import type { BoxXyxy, ImagePoint } from "../geometry/coords";
import { patchOf } from "./bits";
import { emptyPatch, type Patch } from "./patch";

export type Connectivity = 4 | 8;

/** A connected piece: its pixels, and whether it touches the border of the bitmap it was found in. */
export type Piece = { readonly patch: Patch; readonly area: number; readonly isAtBorder: boolean };

/** Split a mask into its connected pieces, largest first; equal ones in the order in which Python lists them. */
export const islands = (patch: Patch, connectivity: Connectivity = 8): readonly Patch[] =>
  piecesOf(patch, connectivity, 1).map((piece) => piece.patch);

/** The pieces of background that the mask encloses, largest first. What touches the image's edge is no hole. */
export const holes = (patch: Patch, connectivity: Connectivity = 4): readonly Patch[] =>
  piecesOf(patch, connectivity, 0)
    .filter((piece) => !piece.isAtBorder) // beyond the box lies background, or the edge of the image
    .map((piece) => piece.patch);

/** The island that a point is on, or null beside the mask. */
export const islandAt = (patch: Patch, point: ImagePoint, connectivity: Connectivity = 8): Patch | null =>
  pieceAt(patch, point, connectivity, 1);

/** The hole that a point is in, or null. */
export const holeAt = (patch: Patch, point: ImagePoint, connectivity: Connectivity = 4): Patch | null =>
  pieceAt(patch, point, connectivity, 0);

/** Split the pixels of one value, ones or zeros, of a patch's bitmap into pieces, largest first. */
export const piecesOf = (patch: Patch, connectivity: Connectivity, value: 0 | 1): readonly Piece[] => {
  const runs = rowRuns(patch, value);
  const { labels, count } = labelRuns(runs, connectivity);
  return gather(count, runs, labels, patch).map((piece) => ({
    patch: paint(patch, piece.runs, runs),
    area: piece.area,
    isAtBorder: isAtBorder(patch, piece.box),
  }));
};

/**
 * The runs of the bitmap's rows: `row`, first column and the column after the last, in the bitmap's own
 * coordinates.
 */
type Runs = { readonly row: Int32Array; readonly start: Int32Array; readonly end: Int32Array; readonly count: number };

type OpenPiece = { area: number; box: [number, number, number, number]; runs: number[]; block: number; first: number };

const rowRuns = ({ box, bits }: Patch, value: 0 | 1): Runs => {
  const width = box[2] - box[0];
  const height = box[3] - box[1];
  const [row, start, end]: [number[], number[], number[]] = [[], [], []];
  for (let y = 0; y < height; y += 1) {
    const from = y * width;
    for (let x = 0; ;) {
      while (x < width && bits[from + x] !== value) x += 1;
      if (x === width) break;
      row.push(y);
      start.push(x);
      while (x < width && bits[from + x] === value) x += 1;
      end.push(x);
    }
  }
  return { row: Int32Array.from(row), start: Int32Array.from(start), end: Int32Array.from(end), count: row.length };
};

/** Join runs of neighbouring rows that touch, and number the pieces. */
const labelRuns = ({ row, start, end, count }: Runs, connectivity: Connectivity) => {
  const parent = Int32Array.from({ length: count }, (_, i) => i);
  const root = (i: number): number => {
    let at = i;
    while (parent[at] !== at) at = parent[at] = parent[parent[at]!]!;
    return at;
  };
  const slack = connectivity === 8 ? 1 : 0;
  for (let below = 0, above = 0; below < count; below += 1) {
    const [y, left] = [row[below]!, start[below]!];
    while (row[above]! < y - 1 || (row[above]! < y && end[above]! + slack <= left)) above += 1;
    for (let i = above; row[i]! < y && start[i]! < end[below]! + slack; i += 1) {
      const [a, b] = [root(i), root(below)];
      parent[Math.max(a, b)] = Math.min(a, b);
    }
  }
  const labels = new Int32Array(count);
  let pieces = 0;
  for (let i = 0; i < count; i += 1) labels[i] = parent[i] === i ? pieces++ : labels[root(i)]!;
  return { labels, count: pieces };
};

const startPiece = (): OpenPiece => ({
  area: 0,
  box: [Infinity, Infinity, -Infinity, -Infinity],
  runs: [],
  block: Infinity,
  first: Infinity,
});

/**
 * Collect the runs of each piece and sort the pieces: larger first, equal ones by their first block of 2x2 pixels,
 * in one by column.
 */
const gather = (num: number, { row, start, end, count }: Runs, labels: Int32Array, patch: Patch): OpenPiece[] => {
  const pieces = Array.from({ length: num }, startPiece);
  const [left, top] = patch.box;
  const blocksAcross = (patch.sizeHw[1] >> 1) + 1;
  for (let i = 0; i < count; i += 1) {
    const piece = pieces[labels[i]!]!;
    piece.area += end[i]! - start[i]!;
    piece.box[0] = Math.min(piece.box[0], start[i]!);
    piece.box[1] = Math.min(piece.box[1], row[i]!);
    piece.box[2] = Math.max(piece.box[2], end[i]!);
    piece.box[3] = Math.max(piece.box[3], row[i]! + 1);
    piece.runs.push(i);
    piece.first = Math.min(piece.first, start[i]! * patch.sizeHw[0] + row[i]!); // down the columns, as RLE goes
    piece.block = Math.min(piece.block, ((row[i]! + top) >> 1) * blocksAcross + ((start[i]! + left) >> 1));
  }
  return pieces.sort((a, b) => b.area - a.area || a.block - b.block || a.first - b.first);
};

const isAtBorder = ({ box }: Patch, [x1, y1, x2, y2]: BoxXyxy): boolean =>
  x1 === 0 || y1 === 0 || x2 === box[2] - box[0] || y2 === box[3] - box[1];

const paint = (patch: Patch, chosen: readonly number[], { row, start, end }: Runs): Patch => {
  if (chosen.length === 0) return emptyPatch(patch.sizeHw);
  const [left, top] = patch.box;
  const [y1, y2] = [row[chosen[0]!]!, row[chosen.at(-1)!]! + 1]; // runs are in the order of rows
  let [x1, x2] = [Infinity, 0];
  for (const i of chosen) {
    x1 = Math.min(x1, start[i]!);
    x2 = Math.max(x2, end[i]!);
  }
  const width = x2 - x1;
  const bits = new Uint8Array(width * (y2 - y1));
  for (const i of chosen) bits.fill(1, (row[i]! - y1) * width + start[i]! - x1, (row[i]! - y1) * width + end[i]! - x1);
  return patchOf(patch.sizeHw, [left + x1, top + y1, left + x2, top + y2], bits);
};

const pieceAt = (patch: Patch, point: ImagePoint, connectivity: Connectivity, value: 0 | 1): Patch | null => {
  const [x, y] = [Math.floor(point.x) - patch.box[0], Math.floor(point.y) - patch.box[1]];
  const runs = rowRuns(patch, value);
  let at = 0;
  while (at < runs.count && !(runs.row[at] === y && runs.start[at]! <= x && x < runs.end[at]!)) at += 1;
  if (at === runs.count) return null;
  const { labels } = labelRuns(runs, connectivity);
  const chosen = Array.from(labels.keys()).filter((i) => labels[i] === labels[at]);
  const piece = paint(patch, chosen, runs);
  if (value === 1) return piece;
  const [left, top] = patch.box;
  const [x1, y1, x2, y2] = piece.box;
  return isAtBorder(patch, [x1 - left, y1 - top, x2 - left, y2 - top]) ? null : piece;
};
