// Two masks of one picture over each other in two colours, drawn into a canvas around both of them.

import type { Rgb } from "../draw/colours";
import type { Picture } from "../draw/picture";
import { uniteBoxes } from "../geometry/boxes";
import type { BoxXyxy } from "../geometry/coords";
import type { Patch } from "../masks/patch";

// Sky blue and orange differ for people who see red and green alike too; where both are, white.
export const FIRST: Rgb = [86, 180, 233];
export const SECOND: Rgb = [230, 120, 0];
export const BOTH: Rgb = [235, 235, 235];
const OPACITY = 0.55;
const MARGIN = 0.35;
const LEAST_SIDE = 40;

const isEmpty = ({ box }: Patch): boolean => box[2] <= box[0] || box[3] <= box[1];

/** The part of the picture to show: both masks with some of what is around, in the shape of the canvas. */
export function partAround(patches: readonly Patch[], picture: Patch["sizeHw"], aspect: number): BoxXyxy {
  const boxes = patches.filter((one) => !isEmpty(one)).map((one) => one.box);
  const [first, ...rest] = boxes;
  const box = first === undefined ? ([0, 0, picture[1], picture[0]] as const) : rest.reduce<BoxXyxy>((all, one) => uniteBoxes(all, one), first);
  const [wide, high] = [box[2] - box[0], box[3] - box[1]];
  const margin = Math.max(wide, high, LEAST_SIDE) * MARGIN;
  const width = Math.max(wide + 2 * margin, (high + 2 * margin) * aspect);
  const height = width / aspect;
  const [x, y] = [(box[0] + box[2] - width) / 2, (box[1] + box[3] - height) / 2];
  return [x, y, x + width, y + height];
}

/** Draw a picture's part with two masks over it; `isAlone` leaves one of them out. */
export function paintPair(
  context: CanvasRenderingContext2D,
  picture: Picture | null,
  [first, second]: readonly [Patch | null, Patch | null],
  part: BoxXyxy,
): void {
  const { width, height } = context.canvas;
  const scale = width / (part[2] - part[0]);
  context.resetTransform();
  context.clearRect(0, 0, width, height);
  context.setTransform(scale, 0, 0, scale, -part[0] * scale, -part[1] * scale);
  if (picture !== null) context.drawImage(picture.overview, 0, 0, picture.sizeHw[1], picture.sizeHw[0]);
  context.imageSmoothingEnabled = false;
  const box = unionBox(first, second);
  if (box !== null) {
    const layer = layerOf(first, second, box);
    const cover = new OffscreenCanvas(layer.width, layer.height);
    cover.getContext("2d")?.putImageData(layer, 0, 0);
    context.drawImage(cover, box[0], box[1]);
  }
  context.resetTransform();
}

function unionBox(first: Patch | null, second: Patch | null): BoxXyxy | null {
  const boxes = [first, second].flatMap((one) => (one === null || isEmpty(one) ? [] : [one.box]));
  const [a, b] = boxes;
  return a === undefined ? null : b === undefined ? a : uniteBoxes(a, b);
}

function layerOf(first: Patch | null, second: Patch | null, [left, top, right, bottom]: BoxXyxy): ImageData {
  const layer = new ImageData(right - left, bottom - top);
  const seen = new Uint8Array(layer.width * layer.height);
  const mark = (patch: Patch | null, bit: number): void => {
    if (patch === null) return;
    const [x1, y1, x2] = patch.box;
    const wide = x2 - x1;
    patch.bits.forEach((set, i) => {
      if (set === 0) return;
      const place = (y1 - top + Math.floor(i / wide)) * layer.width + (x1 - left + (i % wide));
      seen[place] = (seen[place] ?? 0) | bit;
    });
  };
  mark(first, 1);
  mark(second, 2);
  const colours = [null, FIRST, SECOND, BOTH];
  seen.forEach((which, i) => {
    const colour = colours[which];
    if (colour != null) layer.data.set([...colour, OPACITY * 255], 4 * i);
  });
  return layer;
}
