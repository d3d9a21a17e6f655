// What paints the mask layer: a graphics card where there is one, else the processor.

import type { BoxXyxy } from "../geometry/coords";
import type { View } from "../view/view";
import type { LabelLayer } from "./label_layer";
import { createMasks2d } from "./masks_2d";
import { createMasksGl } from "./masks_gl";

export type MaskPainter = {
  readonly kind: "webgl2" | "2d";
  readonly canvas: HTMLCanvasElement;
  /** The map changed inside a box of image pixels, or is another one; or the palette did. */
  readonly update: (layer: LabelLayer, box: BoxXyxy) => void;
  /** Where nothing but a box of image pixels differs from what was painted last, `stale` is that box. */
  readonly paint: (layer: LabelLayer, view: View, isMoving: boolean, stale: BoxXyxy | null) => void;
  readonly clear: () => void;
  readonly dispose: () => void;
};

export type PainterChoice = "auto" | "webgl2" | "2d";

/** "auto" takes WebGL only from a real graphics card: emulated, it is slower than our own loops. */
export function createMaskPainter(choice: PainterChoice, onRestored: () => void): MaskPainter {
  if (choice === "2d") return createMasks2d();
  return createMasksGl(choice === "auto", onRestored) ?? createMasks2d();
}
