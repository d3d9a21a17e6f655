// What lies over the masks: the mask in hand with its prompts, vertices and gestures, the preview, the outlines of what is
// selected, and the brush. Everything is drawn anew each time; there is little of it.

import { boxArea, uniteBoxes } from "../geometry/boxes";
import type { BoxXyxy, ScreenPoint } from "../geometry/coords";
import { pointsOf } from "../geometry/rings";
import { difference, union } from "../masks/algebra";
import type { Patch } from "../masks/patch";
import { deviceScale, visibleBox, type View } from "../view/view";
import { css, IN_HAND, PREVIEW, type Rgb } from "./colours";
import { MAX_OUTLINED } from "./label_layer";
import { drawBox, drawHandles, drawLine, drawPoint } from "./marks";
import type { Scene, SceneHand } from "./scene";
import { outlineOf, spriteOf } from "./sprites";

export type OverlayPen = {
  readonly context: CanvasRenderingContext2D;
  /** A canvas of the same size, for what is put together before it is seen. */
  readonly scratch: CanvasRenderingContext2D;
};

/** What the pointer shows: a brush's circle, its radius in image pixels; a cross where keys move it and no arrow shows. */
export type Cursor = {
  readonly at: ScreenPoint;
  readonly radius: number | null;
  readonly isErasing: boolean;
  readonly isCross: boolean;
};

const HAND_OPACITY = 0.55;
/** Pixels of a box whose outline is found anew while a stroke moves. */
const MAX_TRACED = 1_000_000;

/** `march` is how far the dashes have walked, in CSS pixels. */
export function drawOverlay(pen: OverlayPen, scene: Scene, view: View, cursor: Cursor | null, march: number): void {
  const { context } = pen;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  const { hand, look } = scene;
  if (!look.areMasksHidden) {
    drawSelected(context, scene, view);
    if (scene.preview !== null) drawPreview(context, scene.preview, view);
    if (hand !== null) drawHand(pen, hand, view, Math.max(look.opacity, 0.2), march);
  }
  if (hand !== null) drawGestures(context, hand, view, look.areMasksHidden);
  if (cursor !== null) drawCursor(context, cursor, view);
}

function drawSelected(context: CanvasRenderingContext2D, { masks }: Scene, view: View): void {
  const selected = masks.filter((mask) => mask.isSelected && !mask.isInHand);
  if (selected.length > MAX_OUTLINED) return;
  const seen = visibleBox(view);
  for (const { patch } of selected) if (meets(patch.box, seen)) strokeOutline(context, patch, view, css(PREVIEW), 2, []);
}

function drawPreview(context: CanvasRenderingContext2D, patch: Patch, view: View): void {
  inImage(context, view);
  context.globalAlpha = 0.3;
  drawSprite(context, patch, IN_HAND);
  context.globalAlpha = 1;
  strokeOutline(context, patch, view, css(IN_HAND), 1.5, []);
}

function drawHand({ context, scratch }: OverlayPen, hand: SceneHand, view: View, opacity: number, march: number): void {
  const isErasing = hand.stroke?.isErasing ?? false;
  scratch.setTransform(1, 0, 0, 1, 0, 0);
  if (hand.stroke === null) {
    inImage(context, view);
    context.globalAlpha = Math.min(opacity, HAND_OPACITY);
    drawSprite(context, hand.patch, hand.colour);
  } else {
    // The stroke and the mask must look like one: they are put together before they are made transparent.
    scratch.clearRect(0, 0, scratch.canvas.width, scratch.canvas.height);
    inImage(scratch, view);
    drawSprite(scratch, hand.patch, hand.colour);
    scratch.globalCompositeOperation = isErasing ? "destination-out" : "source-over";
    drawSprite(scratch, hand.stroke.patch, hand.colour);
    scratch.globalCompositeOperation = "source-over";
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = Math.min(opacity, HAND_OPACITY);
    context.drawImage(scratch.canvas, 0, 0);
  }
  context.globalAlpha = 1;
  if (hand.stroke !== null) drawStrokeOutline(context, hand, view);
  else if (hand.rings.length === 0) strokeOutline(context, hand.patch, view, css(hand.colour), 2, [6, 5], march);
}

/** What the mask will be when the button comes up. Of very large ones the fill alone tells: tracing them takes too long. */
function drawStrokeOutline(context: CanvasRenderingContext2D, hand: SceneHand, view: View): void {
  const { patch, stroke } = hand;
  if (stroke === null || boxArea(uniteBoxes(patch.box, stroke.patch.box)) > MAX_TRACED) return;
  const next = stroke.isErasing ? difference(patch, stroke.patch) : union(patch, stroke.patch);
  strokeOutline(context, next, view, css(hand.colour), 1.5, []);
}

function drawGestures(context: CanvasRenderingContext2D, hand: SceneHand, view: View, areMasksHidden: boolean): void {
  context.setTransform(view.pixelRatio, 0, 0, view.pixelRatio, 0, 0);
  if (hand.box !== null) drawBox(context, view, hand.box);
  if (!areMasksHidden) {
    for (const ring of hand.rings) {
      const points = pointsOf(ring);
      drawLine(context, view, points, { isClosed: true, isDashed: false, isNegative: false });
      drawHandles(context, view, points, false);
    }
  }
  if (hand.path !== null) drawLine(context, view, hand.path.points, { isClosed: false, isDashed: true, isNegative: hand.path.isNegative });
  if (hand.openRing !== null) {
    const { points, isNegative } = hand.openRing;
    drawLine(context, view, points, { isClosed: false, isDashed: false, isNegative });
    drawHandles(context, view, points, true);
  }
  for (const { at, positive } of hand.points) drawPoint(context, view, at, positive, hand.isPending);
}

function drawCursor(context: CanvasRenderingContext2D, { at, radius, isErasing, isCross }: Cursor, view: View): void {
  context.setTransform(view.pixelRatio, 0, 0, view.pixelRatio, 0, 0);
  const shape = new Path2D();
  if (radius !== null) shape.arc(at.x, at.y, Math.max(radius * view.scale, 1.5), 0, 2 * Math.PI);
  if (isCross) addCross(shape, at);
  for (const [width, colour] of [[3, "rgb(0 0 0 / 0.55)"], [1.25, isErasing ? "rgb(255 150 110)" : "white"]] as const) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke(shape);
  }
}

/** Four arms that leave the place itself free. */
function addCross(shape: Path2D, { x, y }: ScreenPoint): void {
  for (const [dx, dy] of [[-1, 0], [1, 0], [0, -1], [0, 1]] as const) {
    shape.moveTo(x + 4 * dx, y + 4 * dy);
    shape.lineTo(x + 16 * dx, y + 16 * dy);
  }
}

/** A line that shows on any ground: light over dark. With dashes, the dark shows between them. */
function strokeOutline(
  context: CanvasRenderingContext2D,
  patch: Patch,
  view: View,
  colour: string,
  width: number,
  dashes: readonly number[],
  march = 0,
): void {
  const path = outlineOf(patch);
  inImage(context, view);
  context.lineJoin = "round";
  context.lineWidth = (width + 1.5) / view.scale;
  context.strokeStyle = "rgb(0 0 0 / 0.7)";
  context.setLineDash([]);
  context.stroke(path);
  context.lineWidth = width / view.scale;
  context.strokeStyle = colour;
  context.setLineDash(dashes.map((dash) => dash / view.scale));
  context.lineDashOffset = -march / view.scale;
  context.stroke(path);
  context.setLineDash([]);
}

function drawSprite(context: CanvasRenderingContext2D, patch: Patch, colour: Rgb): void {
  const sprite = spriteOf(patch, colour);
  if (sprite !== null) context.drawImage(sprite, patch.box[0], patch.box[1]);
}

/** Draw in image pixels from here on; masks keep their pixels square. */
function inImage(context: CanvasRenderingContext2D, view: View): void {
  const scale = deviceScale(view);
  context.setTransform(scale, 0, 0, scale, view.offset.x * view.pixelRatio, view.offset.y * view.pixelRatio);
  context.imageSmoothingEnabled = scale < 1;
}

const meets = (a: BoxXyxy, b: BoxXyxy): boolean => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
