// The mask between two masks in time: their centres are brought together, their signed distances are mixed, and the
// result is put where the centre would be. At 0 and 1 it is the first and the second mask, to the pixel.

import { growBox, imageBox, translateBox, uniteBoxes } from "../geometry/boxes";
import { imagePoint, type BoxXyxy, type ImagePoint } from "../geometry/coords";
import { area, cropTo, isEmpty } from "./algebra";
import { patchOf, windowOf } from "./bits";
import { signedDistances } from "./distance";
import { emptyPatch, type Patch } from "./patch";

/** The mean of the centres of a mask's pixels; null if it has none. */
export const centroid = (patch: Patch): ImagePoint | null => {
  const { box, bits } = patch;
  const width = box[2] - box[0];
  const count = area(patch);
  if (count === 0) return null;
  let [sumX, sumY] = [0, 0];
  for (let i = bits.indexOf(1), x = i % width, y = Math.floor(i / width); i < bits.length; i += 1, x += 1) {
    if (x === width) [x, y] = [0, y + 1];
    if (bits[i] === 0) continue;
    sumX += x;
    sumY += y;
  }
  return imagePoint(box[0] + sumX / count + 0.5, box[1] + sumY / count + 0.5);
};

/**
 * The mask at `share` of the way from one mask (0) to another (1); where one is empty, the other as long as it is
 * nearer.
 */
export const interpolate = (from: Patch, to: Patch, share: number): Patch => {
  if (share <= 0) return from;
  if (share >= 1) return to;
  if (isEmpty(from) || isEmpty(to)) return share < 0.5 ? from : to;
  const [a, b] = [centroid(from)!, centroid(to)!];
  const way = [b.x - a.x, b.y - a.y] as const;
  const ahead = [Math.round(way[0] * share), Math.round(way[1] * share)] as const;
  const back = [ahead[0] - Math.round(way[0]), ahead[1] - Math.round(way[1])] as const;
  const [fromBox, toBox] = [translateBox(from.box, ...ahead), translateBox(to.box, ...back)];
  const box = growBox(uniteBoxes(fromBox, toBox), 1); // a border of background, so that every pixel is near some
  const [before, after] = [distancesIn(from.bits, fromBox, box), distancesIn(to.bits, toBox, box)];
  const bits = new Uint8Array(before.length);
  for (let i = 0; i < bits.length; i += 1) bits[i] = before[i]! * (1 - share) + after[i]! * share > 0 ? 1 : 0;
  const mixed = patchOf(from.sizeHw, box, bits);
  return mixed.bits.length === 0 ? emptyPatch(from.sizeHw) : cropTo(mixed, imageBox(from.sizeHw));
};

const distancesIn = (bits: Uint8Array, box: BoxXyxy, window: BoxXyxy): Float64Array =>
  signedDistances(windowOf(bits, box, window), window[2] - window[0], window[3] - window[1]);
