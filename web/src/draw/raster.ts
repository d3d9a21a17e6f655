// The mask layer in pixels, worked out on the processor: for browsers without a graphics card, and the plain definition of
// what the shader draws. A pixel takes the fill of the label under it, or the outline's colour where another label is
// within an outline's width; the outline lies inside the mask.

import { intersectBoxes } from "../geometry/boxes";
import type { BoxXyxy } from "../geometry/coords";
import type { LabelMap } from "../masks/labelmap";
import { deviceScale, type View } from "../view/view";
import type { Palette } from "./label_layer";

/** Where the device pixels of a canvas fall on the cells of a map. */
export type RasterFrame = {
  readonly width: number;
  readonly height: number;
  /** The cell under the middle of the first pixel. */
  readonly cellX: number;
  readonly cellY: number;
  readonly cellsPerPixel: number;
  /** Width of the outline in pixels. */
  readonly outline: number;
};

export const OUTLINE_CSS_PX = 1.5;

/** `coarseness` device pixels in one pixel of the frame. */
export function rasterFrame(view: View, mapScale: number, coarseness: number): RasterFrame {
  const [high, wide] = view.viewportHw;
  const cellsPerPixel = coarseness / deviceScale(view) / mapScale;
  const origin = view.pixelRatio / coarseness;
  return {
    width: Math.max(1, Math.round((wide * view.pixelRatio) / coarseness)),
    height: Math.max(1, Math.round((high * view.pixelRatio) / coarseness)),
    cellX: (0.5 - view.offset.x * origin) * cellsPerPixel,
    cellY: (0.5 - view.offset.y * origin) * cellsPerPixel,
    cellsPerPixel,
    outline: Math.max((OUTLINE_CSS_PX * view.pixelRatio) / coarseness, 1),
  };
}

/** Fill `pixels`, which has one number for each pixel of the frame; those of a part of it, if one is given. */
export function rasterise(
  pixels: Uint32Array,
  frame: RasterFrame,
  map: LabelMap,
  { fill, outline }: Palette,
  [x1, y1, x2, y2]: BoxXyxy = [0, 0, frame.width, frame.height],
): void {
  const { width, height } = frame;
  const { cells, cellsWide } = map;
  const cellsHigh = cells.length / cellsWide;
  const columns = cellsAlong(width, frame.cellX, frame.cellsPerPixel, frame.outline, cellsWide);
  const rows = cellsAlong(height, frame.cellY, frame.cellsPerPixel, frame.outline, cellsHigh);
  const [first, last] = extent(columns.at);
  const [from, to] = [Math.max(first, x1), Math.min(last, x2)];
  for (let y = y1; y < y2; y++) {
    pixels.fill(0, y * width + x1, y * width + x2);
    const row = rows.at[y]! * cellsWide;
    if (row < 0) continue;
    const [above, below] = [rows.before[y]!, rows.after[y]!];
    const up = above < 0 ? -1 : above * cellsWide;
    const down = below < 0 ? -1 : below * cellsWide;
    const start = y * width;
    for (let x = from; x < to; x++) {
      const column = columns.at[x]!;
      const label = cells[row + column]!;
      if (label === 0) continue;
      const [left, right] = [columns.before[x]!, columns.after[x]!];
      const isEdge =
        left < 0 || right < 0 || up < 0 || down < 0 ||
        cells[row + left] !== label || cells[row + right] !== label ||
        cells[up + column] !== label || cells[down + column] !== label;
      const edge = isEdge ? outline[label]! : 0;
      pixels[start + x] = edge === 0 ? fill[label]! : edge;
    }
  }
}

/** The pixels of a frame that a box of the image touches, outlines included. */
export function partOf(frame: RasterFrame, mapScale: number, [x1, y1, x2, y2]: BoxXyxy): BoxXyxy {
  const room = Math.ceil(frame.outline) + 1;
  const at = (side: number, first: number): number => (side / mapScale - first) / frame.cellsPerPixel;
  const part: BoxXyxy = [
    Math.floor(at(x1, frame.cellX)) - room,
    Math.floor(at(y1, frame.cellY)) - room,
    Math.ceil(at(x2, frame.cellX)) + room,
    Math.ceil(at(y2, frame.cellY)) + room,
  ];
  return intersectBoxes(part, [0, 0, frame.width, frame.height]);
}

type Along = { readonly at: Int32Array; readonly before: Int32Array; readonly after: Int32Array };

/** The cell of each pixel along a side, and those an outline's width before and after; -1 beyond the map. */
function cellsAlong(count: number, first: number, step: number, outline: number, limit: number): Along {
  const cell = (i: number): number => {
    const at = Math.floor(first + i * step);
    return at >= 0 && at < limit ? at : -1;
  };
  return {
    at: Int32Array.from({ length: count }, (_, i) => cell(i)),
    before: Int32Array.from({ length: count }, (_, i) => cell(i - outline)),
    after: Int32Array.from({ length: count }, (_, i) => cell(i + outline)),
  };
}

/** The pixels that lie on the map: one run. */
function extent(at: Int32Array): readonly [number, number] {
  const from = at.findIndex((cell) => cell >= 0);
  return from < 0 ? [0, 0] : [from, at.findLastIndex((cell) => cell >= 0) + 1];
}
