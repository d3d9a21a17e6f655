import { describe, expect, test } from "vitest";
import { imagePoint, screenPoint, type SizeHw } from "../geometry/coords";
import {
  clamp,
  deviceScale,
  fit,
  forFrame,
  isFitted,
  newView,
  oneToOne,
  panBy,
  showBox,
  toImage,
  toScreen,
  visibleBox,
  withViewport,
  zoomAt,
  type View,
} from "./view";

const FRAME: SizeHw = [1080, 1920];
const view = newView(FRAME, [800, 1280], 2);

/** Numbers that look random and are the same every time. */
function* numbers(count: number): Generator<number> {
  let seed = 7;
  for (let i = 0; i < count; i++) {
    seed = (seed * 48271) % 2147483647;
    yield seed / 2147483647;
  }
}

const between = (low: number, high: number, share: number): number => low + (high - low) * share;

function someView(random: Generator<number>): View {
  const next = (): number => random.next().value as number;
  const at = screenPoint(next() * 1280, next() * 800);
  return panBy(zoomAt(view, at, between(0.3, 20, next())), between(-900, 900, next()), between(-900, 900, next()));
}

describe("image and screen", () => {
  test("a point goes to the screen and back to where it was, at any zoom", () => {
    const random = numbers(4000);
    for (let i = 0; i < 300; i++) {
      const somewhere = someView(random);
      const x = (random.next().value as number) * 1920;
      const y = (random.next().value as number) * 1080;

      const back = toImage(somewhere, toScreen(somewhere, imagePoint(x, y)));

      expect(back.x).toBeCloseTo(x, 6);
      expect(back.y).toBeCloseTo(y, 6);
    }
  });

  test("a screen point goes to the image and back", () => {
    const at = screenPoint(333, 222);

    const back = toScreen(view, toImage(view, at));

    expect(back.x).toBeCloseTo(333);
    expect(back.y).toBeCloseTo(222);
  });
});

describe("zoom and pan", () => {
  test("the pixel under the pointer stays under it while zooming", () => {
    const at = screenPoint(700, 300);
    const before = toImage(view, at);

    const after = toImage(zoomAt(view, at, 3.7), at);

    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
  });

  test("zooming in and out again comes back to the same view", () => {
    const at = screenPoint(640, 400);

    const there = zoomAt(zoomAt(view, at, 2), at, 0.5);

    expect(there.scale).toBeCloseTo(view.scale);
    expect(there.offset.x).toBeCloseTo(view.offset.x);
  });

  test("zoom ends before a pixel fills the screen and before the image is a dot", () => {
    const at = screenPoint(640, 400);

    expect(zoomAt(view, at, 1e9).scale).toBe(64);
    expect(zoomAt(view, at, 1e-9).scale).toBeGreaterThan(0.1);
  });

  test("the image cannot be pushed out of sight", () => {
    for (const [x, y] of [[1e6, 1e6], [-1e6, -1e6]] as const) {
      const [x1, y1, x2, y2] = visibleBox(panBy(view, x, y));

      expect(x2).toBeGreaterThan(x1);
      expect(y2).toBeGreaterThan(y1);
    }
  });

  test("clamping twice is clamping once", () => {
    const pushed = clamp({ ...view, offset: screenPoint(5000, -5000) });

    expect(clamp(pushed)).toBe(pushed);
  });
});

describe("fit, one to one, a box", () => {
  test("fit shows the whole image in the middle", () => {
    expect(visibleBox(view)).toEqual([0, 0, 1920, 1080]);
    expect(toImage(view, screenPoint(640, 400)).x).toBeCloseTo(960);
    expect(isFitted(view)).toBe(true);
    expect(isFitted(zoomAt(view, screenPoint(0, 0), 1.2))).toBe(false);
  });

  test("one to one puts an image pixel on a device pixel", () => {
    const { offset } = oneToOne(view);
    expect(deviceScale(oneToOne(view))).toBeCloseTo(1);
    for (const side of [offset.x, offset.y]) expect(side * view.pixelRatio).toBeCloseTo(Math.round(side * view.pixelRatio), 6);
  });

  test("showing a box puts it in the middle, whole", () => {
    const near = showBox(view, [100, 100, 180, 160]);

    const [x1, y1, x2, y2] = visibleBox(near);

    expect(x1).toBeLessThanOrEqual(100);
    expect(y2).toBeGreaterThanOrEqual(160);
    expect((x1 + x2) / 2).toBeCloseTo(140, 0);
    expect((y1 + y2) / 2).toBeCloseTo(130, 0);
    expect(near.scale).toBeGreaterThan(view.scale);
  });
});

describe("frames and windows", () => {
  const near = zoomAt(view, screenPoint(900, 500), 5);

  test("the next frame of the same size shows at the same place", () => {
    expect(forFrame(near, [1080, 1920])).toBe(near);
  });

  test("a frame of half the size shows the same part as large as before", () => {
    const small = forFrame(near, [540, 960]);

    expect(small.scale).toBeCloseTo(near.scale * 2);
    expect(toImage(small, screenPoint(640, 400)).x).toBeCloseTo(toImage(near, screenPoint(640, 400)).x / 2);
  });

  test("a fitted view stays fitted for another frame and in another window", () => {
    expect(isFitted(forFrame(view, [480, 640]))).toBe(true);
    expect(isFitted(withViewport(view, [500, 900], 1))).toBe(true);
  });

  test("a larger window keeps what was in the middle in the middle", () => {
    const before = toImage(near, screenPoint(640, 400));

    const after = toImage(withViewport(near, [1000, 1900], 2), screenPoint(950, 500));

    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
  });

  test("a canvas without room gives a view that can still be turned round", () => {
    const none = fit({ ...view, viewportHw: [0, 0] });

    expect(Number.isFinite(toImage(none, screenPoint(0, 0)).x)).toBe(true);
  });
});
