// A picture with its masks on a small canvas, for looking only: the picture as wide as the canvas, masks filled and outlined.

import type { Patch } from "../masks/patch";
import type { Rgb } from "./colours";
import { css } from "./colours";
import type { Picture } from "./picture";
import { outlineOf, spriteOf } from "./sprites";

export type TileMask = { readonly patch: Patch; readonly colour: Rgb };

export function drawTile(
  context: CanvasRenderingContext2D,
  sizeHw: readonly [number, number],
  picture: Picture | null,
  masks: readonly TileMask[],
  look: { readonly opacity: number; readonly isFilled: boolean },
): void {
  const { width, height } = context.canvas;
  const scale = width / sizeHw[1];
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  if (picture !== null) context.drawImage(picture.overview, 0, 0, width, height);
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
