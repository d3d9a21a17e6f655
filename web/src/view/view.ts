// Where the image lies on the screen. A view is a value: every operation gives a new one, and this file alone turns image
// pixels into screen pixels and back. It knows neither the DOM nor what is drawn.

import { imagePoint, screenPoint, type ImagePoint, type ScreenPoint, type SizeHw } from "../geometry/coords";

export type View = {
  /** CSS pixels that one image pixel takes. */
  readonly scale: number;
  /** Where the image's upper left corner lies on the screen. */
  readonly offset: ScreenPoint;
  /** Device pixels in one CSS pixel. */
  readonly pixelRatio: number;
  /** The canvas in CSS pixels, (height, width). */
  readonly viewportHw: SizeHw;
  readonly sizeHw: SizeHw;
};

/** So much of the canvas stays covered by the image, whichever way it is pushed. */
const KEPT_IN_SIGHT = 64;
const FIT_MARGIN = 16;
/** One image pixel is never larger than this on the screen: a hand can hit it easily. */
const MAX_SCALE = 64;

export const toImage = (view: View, at: ScreenPoint): ImagePoint =>
  imagePoint((at.x - view.offset.x) / view.scale, (at.y - view.offset.y) / view.scale);

export const toScreen = (view: View, at: ImagePoint): ScreenPoint =>
  screenPoint(at.x * view.scale + view.offset.x, at.y * view.scale + view.offset.y);

/** The scale at which the whole image shows. */
export function fitScale(sizeHw: SizeHw, viewportHw: SizeHw): number {
  const [height, width] = sizeHw;
  const [high, wide] = viewportHw;
  const room = Math.min((high - 2 * FIT_MARGIN) / height, (wide - 2 * FIT_MARGIN) / width);
  return Math.min(Math.max(room, 1e-4), MAX_SCALE);
}

export function fit(view: View): View {
  return centred({ ...view, scale: fitScale(view.sizeHw, view.viewportHw) });
}

export const newView = (sizeHw: SizeHw, viewportHw: SizeHw, pixelRatio: number): View =>
  fit({ scale: 1, offset: screenPoint(0, 0), pixelRatio, viewportHw, sizeHw });

/** Whether the whole image shows, as `fit` leaves it. */
export const isFitted = (view: View): boolean => {
  const fitted = fit(view);
  const near = (a: number, b: number): boolean => Math.abs(a - b) < 0.5;
  return (
    Math.abs(view.scale / fitted.scale - 1) < 1e-3 &&
    near(view.offset.x, fitted.offset.x) &&
    near(view.offset.y, fitted.offset.y)
  );
};

/** Multiply the scale; the image pixel under `at` stays under it. */
export function zoomAt(view: View, at: ScreenPoint, factor: number): View {
  const scale = limitScale(view, view.scale * factor);
  const still = toImage(view, at);
  return clamp({ ...view, scale, offset: screenPoint(at.x - still.x * scale, at.y - still.y * scale) });
}

export const panBy = (view: View, x: number, y: number): View =>
  clamp({ ...view, offset: screenPoint(view.offset.x + x, view.offset.y + y) });

/** One image pixel on one device pixel, whole, about `at` (the middle of the canvas if left out): between two it is blurred. */
export function oneToOne(view: View, at: ScreenPoint = middle(view)): View {
  const shown = zoomAt(view, at, 1 / view.pixelRatio / view.scale);
  const whole = (side: number): number => Math.round(side * view.pixelRatio) / view.pixelRatio;
  return { ...shown, offset: screenPoint(whole(shown.offset.x), whole(shown.offset.y)) };
}

/** Show a box of the image as large as it fits, with room around it. */
export function showBox(view: View, [x1, y1, x2, y2]: readonly [number, number, number, number]): View {
  const room = 0.7;
  const [high, wide] = view.viewportHw;
  const wanted = Math.min((high * room) / Math.max(y2 - y1, 8), (wide * room) / Math.max(x2 - x1, 8));
  const scale = limitScale(view, wanted);
  const offset = screenPoint(wide / 2 - ((x1 + x2) / 2) * scale, high / 2 - ((y1 + y2) / 2) * scale);
  return clamp({ ...view, scale, offset });
}

/** The canvas has another size: what was in its middle stays there, and what was fitted is fitted again. */
export function withViewport(view: View, viewportHw: SizeHw, pixelRatio: number): View {
  const next = { ...view, viewportHw, pixelRatio };
  if (isFitted(view)) return fit(next);
  const [high, wide] = viewportHw;
  const [wasHigh, wasWide] = view.viewportHw;
  return panBy(next, (wide - wasWide) / 2, (high - wasHigh) / 2);
}

/**
 * Another frame. One of the same size shows at the same place: lost zoom costs annotators their bearings. One of
 * another size shows the same part of the picture, at a scale that makes it as large as before.
 */
export function forFrame(view: View, sizeHw: SizeHw): View {
  const [height, width] = view.sizeHw;
  if (height === sizeHw[0] && width === sizeHw[1]) return view;
  if (isFitted(view)) return fit({ ...view, sizeHw });
  const centre = toImage(view, middle(view));
  const scale = view.scale * Math.sqrt((height * width) / (sizeHw[0] * sizeHw[1]));
  const x = (centre.x / width) * sizeHw[1];
  const y = (centre.y / height) * sizeHw[0];
  const next = { ...view, sizeHw };
  const limited = limitScale(next, scale);
  const at = middle(view);
  return clamp({ ...next, scale: limited, offset: screenPoint(at.x - x * limited, at.y - y * limited) });
}

/** Push the image back so far that a part of it stays in sight. */
export function clamp(view: View): View {
  const [height, width] = view.sizeHw;
  const [high, wide] = view.viewportHw;
  const x = within(view.offset.x, KEPT_IN_SIGHT - width * view.scale, wide - KEPT_IN_SIGHT);
  const y = within(view.offset.y, KEPT_IN_SIGHT - height * view.scale, high - KEPT_IN_SIGHT);
  if (x === view.offset.x && y === view.offset.y) return view;
  return { ...view, offset: screenPoint(x, y) };
}

/** Device pixels that one image pixel takes: what drawing goes by. */
export const deviceScale = (view: View): number => view.scale * view.pixelRatio;

/** The part of the image that shows, as whole pixels; of no size when none does. */
export function visibleBox(view: View): readonly [number, number, number, number] {
  const [height, width] = view.sizeHw;
  const from = toImage(view, screenPoint(0, 0));
  const to = toImage(view, screenPoint(view.viewportHw[1], view.viewportHw[0]));
  const x1 = within(Math.floor(from.x), 0, width);
  const y1 = within(Math.floor(from.y), 0, height);
  return [x1, y1, within(Math.ceil(to.x), x1, width), within(Math.ceil(to.y), y1, height)];
}

const middle = (view: View): ScreenPoint => screenPoint(view.viewportHw[1] / 2, view.viewportHw[0] / 2);

function centred(view: View): View {
  const [height, width] = view.sizeHw;
  const [high, wide] = view.viewportHw;
  const offset = screenPoint((wide - width * view.scale) / 2, (high - height * view.scale) / 2);
  return { ...view, offset };
}

function limitScale(view: View, scale: number): number {
  const least = Math.min(fitScale(view.sizeHw, view.viewportHw) / 4, 1);
  return within(scale, least, MAX_SCALE);
}

const within = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), Math.max(low, high));
