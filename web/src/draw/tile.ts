// A picture with its masks on a small canvas, for looking only: the picture as wide as the canvas, masks filled and outlined.

import type { Patch } from "../masks/patch";
import type { Picture } from "./picture";
import type { Rgb } from "./colours";
import { css } from "./colours";
import { outlineOf, spriteOf } from "./sprites";

export type TileMask = { readonly patch: Patch; readonly colour: Rgb };

const MOST_WIDTH = 1024; // px of a tile

/** A small copy of a picture, which stays when the picture itself is let go. */
export function smallCopy({ overview, sizeHw }: Picture): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = Math.min(sizeHw[1], MOST_WIDTH);
  canvas.height = Math.max(Math.round((canvas.width * sizeHw[0]) / sizeHw[1]), 1);
  canvas.getContext("2d")?.drawImage(overview, 0, 0, canvas.width, canvas.height);
  return canvas;
}

export function drawTile(
  context: CanvasRenderingContext2D,
  sizeHw: readonly [number, number],
  picture: CanvasImageSource | null,
  masks: readonly TileMask[],
  look: { readonly opacity: number; readonly isFilled: boolean },
): void {
  const { width, height } = context.canvas;
  const scale = width / sizeHw[1];
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  if (picture !== null) context.drawImage(picture, 0, 0, width, height);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  for (const { patch, colour } of masks) {
    const sprite = look.isFilled ? spriteOf(patch, colour) : null;
    context.globalAlpha = look.opacity;
    if (sprite !== null) context.drawImage(sprite, patch.box[0], patch.box[1]);
    context.globalAlpha = 1;
    context.strokeStyle = css(colour);
    context.lineWidth = 1.5 / scale;
    context.stroke(outlineOf(patch));
  }
}
