// Paints the mask layer without a graphics card. While the view moves, a slow machine draws coarser pixels and makes up
// for it as soon as the hand rests.

import type { BoxXyxy } from "../geometry/coords";
import type { View } from "../view/view";
import type { LabelLayer } from "./label_layer";
import type { MaskPainter } from "./mask_painter";
import { partOf, rasterFrame, rasterise, type RasterFrame } from "./raster";

/** More than this for one frame, in ms, and the next ones of a movement are coarser. */
const BUDGET_MS = 7;

export function createMasks2d(): MaskPainter {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("the browser gave no 2d context");
  let image: ImageData | null = null;
  let costPerPixel = 0;
  let isWhole = false; // what is painted has every pixel

  const paint = (layer: LabelLayer, view: View, isMoving: boolean, stale: BoxXyxy | null): void => {
    const full = rasterFrame(view, layer.map.scale, 1);
    const isSameSize = image?.width === full.width && image.height === full.height;
    if (stale !== null && isWhole && isSameSize && image !== null) return paintPart(image, full, layer, partOf(full, layer.map.scale, stale));
    const coarseness = isMoving && costPerPixel * full.width * full.height > BUDGET_MS ? 2 : 1;
    const frame = coarseness === 1 ? full : rasterFrame(view, layer.map.scale, coarseness);
    if (canvas.width !== frame.width) canvas.width = frame.width;
    if (canvas.height !== frame.height) canvas.height = frame.height;
    if (image?.width !== frame.width || image.height !== frame.height) image = new ImageData(frame.width, frame.height);
    const begun = performance.now();
    rasterise(new Uint32Array(image.data.buffer), frame, layer.map, layer.palette);
    context.putImageData(image, 0, 0);
    const cost = (performance.now() - begun) / (frame.width * frame.height);
    costPerPixel = costPerPixel === 0 ? cost : costPerPixel * 0.8 + cost * 0.2;
    isWhole = coarseness === 1;
  };

  const paintPart = (whole: ImageData, frame: RasterFrame, layer: LabelLayer, part: BoxXyxy): void => {
    const [x1, y1, x2, y2] = part;
    if (x2 <= x1 || y2 <= y1) return;
    rasterise(new Uint32Array(whole.data.buffer), frame, layer.map, layer.palette, part);
    context.putImageData(whole, 0, 0, x1, y1, x2 - x1, y2 - y1);
  };

  return {
    kind: "2d",
    canvas,
    update: () => undefined,
    paint,
    clear: () => {
      context.clearRect(0, 0, canvas.width, canvas.height);
      isWhole = false;
    },
    dispose: () => undefined,
  };
}
