import { expect, test } from "vitest";
import { fitAxis, zoomed } from "./axis";
import { barsOf } from "./bars";
import type { Span } from "./spans";

const span = (first: number, last: number, given: Partial<Span> = {}): Span => ({
  track: "mug",
  first,
  last,
  source: null,
  state: "visible",
  status: "proposed",
  is_keyframe: true,
  is_corrected: false,
  confidence: null,
  ...given,
});
const carried = (first: number, confidence: readonly number[], given: Partial<Span> = {}): Span =>
  span(first, first + confidence.length - 1, { source: "carried", is_keyframe: false, confidence, ...given });

test("a bar is as wide as its frames and as high as the tracker was sure", () => {
  const bars = barsOf([span(0, 1), carried(2, [0.9, 0.9, 0.5]), carried(8, [0.01])], fitAxis(0, 9, 100));

  expect(bars.map(({ x, width, kind, height }) => [x, width, kind, height])).toEqual([
    [0, 20, "keyframe", 1],
    [20, 20, "propagated", 0.9],
    [40, 10, "propagated", 0.5],
    [80, 10, "propagated", 0.2],
  ]);
});

test("what is accepted and what was corrected is said", () => {
  const bars = barsOf([span(0, 0, { status: "accepted" }), span(1, 1, { is_corrected: true })], fitAxis(0, 9, 100));

  expect(bars.map(({ isAccepted, isCorrected }) => [isAccepted, isCorrected])).toEqual([[true, false], [false, true]]);
});

test("only what is in sight is drawn", () => {
  const near = zoomed(fitAxis(0, 999, 100), 100, 0);

  expect(barsOf([span(0, 3), span(500, 600), carried(990, [1, 1])], near)).toHaveLength(1);
});

test("where many frames share a pixel the one worth a look is seen, and a lane has no more bars than pixels", () => {
  const spans = Array.from({ length: 5_000 }, (_, i) => span(2 * i, 2 * i));
  spans[700] = span(1400, 1400, { status: "rejected" });
  const bars = barsOf(spans, fitAxis(0, 9_999, 200));

  expect(bars.length).toBeLessThanOrEqual(201);
  expect(bars.filter((one) => one.kind === "rejected")).toHaveLength(1);
  const long = barsOf([carried(0, Array.from({ length: 10_000 }, (_, i) => (i % 7) / 7))], fitAxis(0, 9_999, 200));
  expect(long.length).toBeLessThanOrEqual(201);
});
