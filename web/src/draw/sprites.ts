// Single masks as little pictures and as outlines, kept as long as the patch they were made from.

import { pointsOf, ringsOf } from "../geometry/rings";
import type { Patch } from "../masks/patch";
import { trace } from "../masks/trace";
import { pixel, type Rgb } from "./colours";

type Sprite = { readonly colour: number; readonly canvas: HTMLCanvasElement };

const sprites = new WeakMap<Patch, Sprite>();
const outlines = new WeakMap<Patch, Path2D>();

/** The mask in one opaque colour, at one pixel for each of the image; null for an empty one. */
export function spriteOf(patch: Patch, rgb: Rgb): HTMLCanvasElement | null {
  const [x1, y1, x2, y2] = patch.box;
  if (x2 <= x1 || y2 <= y1) return null;
  const colour = pixel(rgb, 1);
  const kept = sprites.get(patch);
  if (kept?.colour === colour) return kept.canvas;
  const canvas = document.createElement("canvas");
  canvas.width = x2 - x1;
  canvas.height = y2 - y1;
  const context = canvas.getContext("2d");
  if (context === null) return null;
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  const { bits } = patch;
  for (let i = 0; i < bits.length; i++) if (bits[i] === 1) pixels[i] = colour;
  context.putImageData(image, 0, 0);
  sprites.set(patch, { colour, canvas });
  return canvas;
}

/** The mask's outline along its pixels, in image pixels. */
export function outlineOf(patch: Patch): Path2D {
  const kept = outlines.get(patch);
  if (kept !== undefined) return kept;
  const path = new Path2D();
  for (const island of trace(patch).islands) {
    for (const ring of ringsOf(island)) {
      pointsOf(ring).forEach(({ x, y }, i) => (i === 0 ? path.moveTo(x, y) : path.lineTo(x, y)));
      path.closePath();
    }
  }
  outlines.set(patch, path);
  return path;
}
