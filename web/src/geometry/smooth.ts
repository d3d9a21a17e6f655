// Smoother outlines: Python's `smooth_rings`. A Gaussian of `sigma` pixels along the outline, about one vertex a
// pixel; the filter is 2G - G^2, which keeps the size of what is larger than sigma. A ring too short for sigma is
// smoothed less.

import { transform } from "./fourier";
import { mapRings, numVertices, perimeter, type Polygons, type Ring } from "./rings";

const SHORTEST = 14; // a ring of n samples is smoothed by n / 14 at most; the same number as in outlines.py

export const smoothRing = (ring: Ring, sigma: number): Ring => {
  const { re, im } = resample(ring);
  const count = re.length;
  const reach = Math.min(sigma, count / SHORTEST);
  transform(re, im, -1); // x and y as one complex signal: the filter is real and even, so they stay apart
  for (let k = 0; k < count; k += 1) {
    const frequency = Math.min(k, count - k) / count;
    const gaussian = Math.exp(-2 * (Math.PI * reach * frequency) ** 2);
    const gain = (2 * gaussian - gaussian * gaussian) / count;
    re[k] = re[k]! * gain;
    im[k] = im[k]! * gain;
  }
  transform(re, im, 1);
  const smoothed = new Float64Array(2 * count);
  for (let k = 0; k < count; k += 1) smoothed.set([re[k]!, im[k]!], 2 * k);
  return smoothed;
};

export const smooth = (polygons: Polygons, sigma: number): Polygons =>
  sigma === 0 ? polygons : mapRings(polygons, (ring) => smoothRing(ring, sigma));

/** About one sample per pixel of length; of a traced ring, the middle of every pixel edge. */
const resample = (ring: Ring): { re: Float64Array; im: Float64Array } => {
  const length = perimeter(ring);
  const count = Math.max(4, roundHalfToEven(length));
  const [re, im] = [new Float64Array(count), new Float64Array(count)];
  const vertices = numVertices(ring);
  let [edge, before, after] = [-1, 0, 0];
  let [ax, ay, bx, by] = [ring[0]!, ring[1]!, ring[0]!, ring[1]!];
  for (let k = 0; k < count; k += 1) {
    const at = ((k + 0.5) * length) / count;
    while (after < at && edge < vertices - 1) {
      edge += 1;
      [ax, ay] = [bx, by];
      const next = 2 * ((edge + 1) % vertices);
      [bx, by] = [ring[next]!, ring[next + 1]!];
      before = after;
      after += Math.hypot(bx - ax, by - ay);
    }
    const share = after > before ? (at - before) / (after - before) : 0;
    re[k] = ax + (bx - ax) * share;
    im[k] = ay + (by - ay) * share;
  }
  return { re, im };
};

/** As Python rounds. */
const roundHalfToEven = (value: number): number => {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
};
