// A lane as bars to draw: where each begins and ends in pixels, how high it is, what it says. Pure. Where many frames share
// a pixel, what is worth a look wins, so that one rejected frame of an hour is seen.

import { xOf, type Axis } from "./axis";
import { kindOf, type Kind, type Span, type Spans } from "./spans";

export type Bar = {
  readonly x: number;
  readonly width: number;
  readonly kind: Kind;
  /** From 0 to 1: how sure the tracker was. */
  readonly height: number;
  readonly isAccepted: boolean;
  readonly isCorrected: boolean;
};

const WORTH: readonly Kind[] = ["propagated", "outside", "occluded", "keyframe", "rejected"];
const LEAST_HEIGHT = 0.2;

/** The bars of what is in sight, from left to right. */
export function barsOf(spans: Spans, axis: Axis): readonly Bar[] {
  const found: Bar[] = [];
  for (const span of spans) {
    if (xOf(axis, span.last + 1) < 0 || xOf(axis, span.first) > axis.width) continue;
    for (const bar of barsOfSpan(span, axis)) {
      const last = found.at(-1);
      if (last !== undefined && bar.width <= 1 && bar.x < last.x + last.width) found[found.length - 1] = worthier(last, bar);
      else found.push(bar);
    }
  }
  return found;
}

function barsOfSpan(span: Span, axis: Axis): readonly Bar[] {
  const kind = kindOf(span);
  const look = { kind, isAccepted: span.status === "accepted", isCorrected: span.is_corrected };
  const whole = (first: number, last: number, height: number): Bar => {
    const x = xOf(axis, first);
    return { ...look, x, width: Math.max(xOf(axis, last + 1) - x, 1), height };
  };
  const { confidence } = span;
  if (confidence === null || kind !== "propagated") return [whole(span.first, span.last, 1)];
  // At least a pixel for each step.
  const step = Math.max(Math.ceil(1 / axis.scale), 1);
  const first = Math.max(span.first, Math.floor(axis.from) - step);
  const last = Math.min(span.last, Math.ceil(axis.from + axis.width / axis.scale) + step);
  const bars: Bar[] = [];
  for (let frame = first; frame <= last; frame += step) {
    const until = Math.min(frame + step - 1, last);
    const least = Math.min(...confidence.slice(frame - span.first, until - span.first + 1));
    const height = Math.max(least, LEAST_HEIGHT);
    const before = bars.at(-1);
    if (before !== undefined && before.height === height) bars[bars.length - 1] = { ...before, width: xOf(axis, until + 1) - before.x };
    else bars.push(whole(frame, until, height));
  }
  return bars;
}

const worthier = (a: Bar, b: Bar): Bar => {
  const [top, other] = WORTH.indexOf(b.kind) > WORTH.indexOf(a.kind) ? [b, a] : [a, b];
  return { ...top, x: a.x, width: a.width, isCorrected: top.isCorrected || other.isCorrected };
};
