// Draws lanes of a timeline on a canvas, in CSS pixels. Each kind has a shape of its own beside its colour: keyframes are
// whole (and diamonds where there is room), what was propagated is as high as the tracker was sure, occluded is hatched,
// outside is a thin line, rejected a crossed one. A line below says accepted, a dot above corrected by a person.

import { xOf, type Axis } from "../time/axis";
import { barsOf, type Bar } from "../time/bars";
import type { Spans } from "../time/spans";
import { css, type Rgb } from "./colours";

export type Row = {
  readonly colour: Rgb;
  readonly spans: Spans;
  readonly isChosen: boolean;
  /** Frames that a job works on now, both included. */
  readonly working: readonly [number, number] | null;
};
export type LaneColours = { readonly ink: string; readonly quiet: string; readonly good: string; readonly bad: string; readonly chosen: string; readonly line: string };
export type LaneLook = { readonly rowHeight: number; readonly top: number; readonly colours: LaneColours };

const PAD = 3;
const DIAMOND_SCALE = 9; // px of a frame from which single keyframes are drawn

/** Draw rows from `top` on, and the frame that is open over all of them. */
export function drawLanes(context: CanvasRenderingContext2D, axis: Axis, rows: readonly Row[], frame: number | null, look: LaneLook): void {
  const { rowHeight, top, colours } = look;
  rows.forEach((row, i) => {
    const y = top + i * rowHeight;
    if (row.isChosen) fill(context, colours.chosen, 0, y, axis.width, rowHeight);
    fill(context, colours.line, 0, y + rowHeight - 1, axis.width, 1);
    for (const bar of barsOf(row.spans, axis)) drawBar(context, bar, y + PAD, rowHeight - 2 * PAD - 1, row.colour, colours);
    if (axis.scale >= DIAMOND_SCALE) drawDiamonds(context, axis, row.spans, y + rowHeight / 2, colours);
    if (row.working !== null) drawWorking(context, axis, row.working, y, rowHeight, colours);
  });
  if (frame !== null) drawCursor(context, axis, frame, look, rows.length);
}

function drawBar(context: CanvasRenderingContext2D, bar: Bar, y: number, height: number, rgb: Rgb, colours: LaneColours): void {
  const { x, width, kind } = bar;
  const gap = width > 3 ? 0.5 : 0;
  const w = width - gap;
  switch (kind) {
    case "keyframe":
      fill(context, css(rgb), x, y, w, height);
      break;
    case "propagated": {
      const h = Math.max(Math.round(height * bar.height), 2);
      fill(context, css(rgb, 0.55), x, y + height - h, w, h);
      break;
    }
    case "occluded":
      hatch(context, css(rgb, 0.8), x, y + height * 0.35, w, height * 0.65);
      break;
    case "outside":
      fill(context, colours.quiet, x, y + height - 2, w, 1.5);
      break;
    case "rejected":
      fill(context, colours.bad, x, y + height / 2 - 0.75, w, 1.5);
      for (let at = x + Math.min(w / 2, 6); at < x + w; at += 24) cross(context, colours.bad, at, y + height / 2, Math.min(height / 3, 4));
      break;
  }
  if (bar.isAccepted) fill(context, colours.good, x, y + height, w, 2);
  if (bar.isCorrected) fill(context, colours.ink, x + Math.max(w / 2 - 1.5, 0), y - 1.5, Math.min(w, 3), 3);
}

function drawDiamonds(context: CanvasRenderingContext2D, axis: Axis, spans: Spans, y: number, { ink }: LaneColours): void {
  context.strokeStyle = ink;
  context.lineWidth = 1.25;
  for (const span of spans) {
    if (!span.is_keyframe || span.state === "outside") continue;
    const first = Math.max(span.first, Math.floor(axis.from));
    for (let frame = first; frame <= span.last && xOf(axis, frame) < axis.width; frame++) {
      const x = xOf(axis, frame) + axis.scale / 2;
      context.beginPath();
      context.moveTo(x, y - 3.5);
      context.lineTo(x + 3.5, y);
      context.lineTo(x, y + 3.5);
      context.lineTo(x - 3.5, y);
      context.closePath();
      context.stroke();
    }
  }
}

function drawWorking(context: CanvasRenderingContext2D, axis: Axis, [first, last]: readonly [number, number], y: number, height: number, { ink }: LaneColours): void {
  const [x, until] = [Math.max(xOf(axis, first), 0), Math.min(xOf(axis, last + 1), axis.width)];
  context.save();
  context.globalAlpha = 0.5;
  context.strokeStyle = ink;
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  context.strokeRect(x + 0.5, y + 1.5, Math.max(until - x - 1, 1), height - 4);
  context.restore();
}

function drawCursor(context: CanvasRenderingContext2D, axis: Axis, frame: number, { rowHeight, top, colours }: LaneLook, numRows: number): void {
  const x = xOf(axis, frame);
  const height = top + Math.max(numRows, 1) * rowHeight;
  if (axis.scale > 4) {
    context.save();
    context.globalAlpha = 0.18;
    fill(context, colours.ink, x, 0, axis.scale, height);
    context.restore();
  }
  fill(context, colours.ink, x + axis.scale / 2 - 0.75, 0, 1.5, height);
}

function fill(context: CanvasRenderingContext2D, colour: string, x: number, y: number, width: number, height: number): void {
  context.fillStyle = colour;
  context.fillRect(x, y, width, height);
}

function hatch(context: CanvasRenderingContext2D, colour: string, x: number, y: number, width: number, height: number): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1.25;
  context.beginPath();
  for (let at = Math.floor((x - height) / 4) * 4; at < x + width; at += 4) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

function cross(context: CanvasRenderingContext2D, colour: string, x: number, y: number, r: number): void {
  context.strokeStyle = colour;
  context.lineWidth = 1.25;
  context.beginPath();
  context.moveTo(x - r, y - r);
  context.lineTo(x + r, y + r);
  context.moveTo(x + r, y - r);
  context.lineTo(x - r, y + r);
  context.stroke();
}
