// Draws the picture: smooth when it is smaller than it is, in clear squares when it is much larger, and only the part that
// shows.

import type { BoxXyxy } from "../geometry/coords";
import { imagePoint } from "../geometry/coords";
import { deviceScale, toScreen, visibleBox, type View } from "../view/view";
import { tilesIn, type Picture } from "./picture";

/** Device pixels for one image pixel from which pixels show as squares. */
const SQUARES_FROM = 2;

export function drawPicture(context: CanvasRenderingContext2D, picture: Picture, view: View): void {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  const box = visibleBox(view);
  if (box[2] <= box[0] || box[3] <= box[1]) return;
  const scale = deviceScale(view);
  context.imageSmoothingEnabled = scale < SQUARES_FROM;
  context.imageSmoothingQuality = scale < 0.5 && picture.tiles === null ? "medium" : "low";
  const { tiles, overview, reduction } = picture;
  const isFineWanted = tiles !== null && scale * reduction > 1;
  const missing = isFineWanted ? tilesIn(box, tiles.side).filter(([column, row]) => tiles.at(column, row) === null) : [];
  if (!isFineWanted || missing.length > 0) drawPart(context, overview, view, box, reduction, [0, 0]);
  if (!isFineWanted) return;
  for (const [column, row] of tilesIn(box, tiles.side)) {
    const tile = tiles.at(column, row);
    if (tile === null) continue;
    const [x, y] = [column * tiles.side, row * tiles.side];
    const [high, wide] = picture.sizeHw;
    drawPart(context, tile, view, [x, y, Math.min(x + tiles.side, wide), Math.min(y + tiles.side, high)], 1, [x, y]);
  }
}

/** Draw the box of the picture from a source whose upper left corner lies at `origin`. */
function drawPart(
  context: CanvasRenderingContext2D,
  source: CanvasImageSource,
  view: View,
  [x1, y1, x2, y2]: BoxXyxy,
  reduction: number,
  [left, top]: readonly [number, number],
): void {
  const from = toScreen(view, imagePoint(x1, y1));
  const scale = deviceScale(view);
  context.drawImage(
    source,
    (x1 - left) / reduction,
    (y1 - top) / reduction,
    (x2 - x1) / reduction,
    (y2 - y1) / reduction,
    from.x * view.pixelRatio,
    from.y * view.pixelRatio,
    (x2 - x1) * scale,
    (y2 - y1) * scale,
  );
}
