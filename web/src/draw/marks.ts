// Points, boxes, lines and handles: the same size on the screen at any zoom, light over dark so that they show on any
// ground. The context is in CSS pixels.

import { imagePoint, type BoxXyxy, type ImagePoint } from "../geometry/coords";
import { toScreen, type View } from "../view/view";

const DARK = "rgb(0 0 0 / 0.7)";
const POSITIVE = "rgb(0 158 115)";
const NEGATIVE = "rgb(213 94 0)";
const LINE = "rgb(255 214 10)";

/** A disc with + or −: told by its sign as well as by its colour. One that waits is hollow. */
export function drawPoint(context: CanvasRenderingContext2D, view: View, at: ImagePoint, positive: boolean, isPending: boolean): void {
  const { x, y } = toScreen(view, at);
  const colour = positive ? POSITIVE : NEGATIVE;
  context.beginPath();
  context.arc(x, y, 7, 0, 2 * Math.PI);
  context.fillStyle = isPending ? "white" : colour;
  context.fill();
  context.lineWidth = 3.5;
  context.strokeStyle = DARK;
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = isPending ? colour : "white";
  context.stroke();
  context.beginPath();
  context.moveTo(x - 3.5, y);
  context.lineTo(x + 3.5, y);
  if (positive) {
    context.moveTo(x, y - 3.5);
    context.lineTo(x, y + 3.5);
  }
  context.stroke();
}

export function drawBox(context: CanvasRenderingContext2D, view: View, [x1, y1, x2, y2]: BoxXyxy): void {
  const from = toScreen(view, imagePoint(x1, y1));
  const to = toScreen(view, imagePoint(x2, y2));
  context.beginPath();
  context.rect(from.x, from.y, to.x - from.x, to.y - from.y);
  lightOverDark(context, LINE, [6, 4]);
}

export type LineLook = { readonly isClosed: boolean; readonly isDashed: boolean; readonly isNegative: boolean };

export function drawLine(context: CanvasRenderingContext2D, view: View, points: readonly ImagePoint[], look: LineLook): void {
  if (points.length < 2) return;
  context.beginPath();
  points.forEach((point, i) => {
    const { x, y } = toScreen(view, point);
    if (i === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  });
  if (look.isClosed) context.closePath();
  lightOverDark(context, look.isNegative ? "rgb(255 150 110)" : LINE, look.isDashed ? [5, 4] : []);
}

/** Vertices to take hold of. The first one of an open ring is larger: it closes the ring. */
export function drawHandles(context: CanvasRenderingContext2D, view: View, points: readonly ImagePoint[], isOpen: boolean): void {
  points.forEach((point, i) => {
    const { x, y } = toScreen(view, point);
    context.beginPath();
    context.arc(x, y, isOpen && i === 0 ? 6 : 4, 0, 2 * Math.PI);
    context.fillStyle = isOpen && i === 0 ? LINE : "white";
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = DARK;
    context.stroke();
  });
}

function lightOverDark(context: CanvasRenderingContext2D, colour: string, dashes: number[]): void {
  context.setLineDash([]);
  context.lineJoin = "round";
  context.lineWidth = 3.5;
  context.strokeStyle = DARK;
  context.stroke();
  context.setLineDash(dashes);
  context.lineWidth = 1.75;
  context.strokeStyle = colour;
  context.stroke();
  context.setLineDash([]);
}
