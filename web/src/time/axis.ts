// Frames along the width of a timeline, in CSS pixels. Pure. A frame is drawn from its own place to the next one's.

export type Axis = {
  readonly first: number;
  readonly last: number;
  readonly width: number;
  /** The frame, or the place within it, at the left edge. */
  readonly from: number;
  /** Pixels of one frame. */
  readonly scale: number;
};

const MOST_SCALE = 24;
const NICE = [1, 2, 5];

const numFrames = ({ first, last }: Axis): number => last - first + 1;
const leastScale = (axis: Axis): number => Math.min(axis.width / numFrames(axis), MOST_SCALE);

/** All frames in sight. */
export function fitAxis(first: number, last: number, width: number): Axis {
  const axis = { first, last: Math.max(first, last), width: Math.max(width, 1), from: first, scale: 1 };
  return { ...axis, scale: leastScale(axis) };
}

export const isFit = (axis: Axis): boolean => axis.scale <= leastScale(axis) * 1.001;

/** The same frames on another width, or more frames than before; what was all in sight stays all in sight. */
export function refit(axis: Axis, first: number, last: number, width: number): Axis {
  if (isFit(axis)) return fitAxis(first, last, width);
  return bounded({ ...axis, first, last: Math.max(first, last), width: Math.max(width, 1) });
}

export const xOf = ({ from, scale }: Axis, frame: number): number => (frame - from) * scale;

/** The frame at a place; the nearest where there is none. */
export function frameAt(axis: Axis, x: number): number {
  return Math.min(Math.max(Math.floor(axis.from + x / axis.scale), axis.first), axis.last);
}

/** The frames in sight, both included. */
export const inSight = (axis: Axis): readonly [number, number] => [frameAt(axis, 0), frameAt(axis, axis.width - 0.001)];

/** Nearer or farther, with what is at `x` staying there. */
export function zoomed(axis: Axis, factor: number, x: number): Axis {
  const scale = Math.min(Math.max(axis.scale * factor, leastScale(axis)), MOST_SCALE);
  return bounded({ ...axis, scale, from: axis.from + x / axis.scale - x / scale });
}

export const scrolled = (axis: Axis, pixels: number): Axis => bounded({ ...axis, from: axis.from + pixels / axis.scale });

/** Bring a frame into sight, in the middle if it was out of it. */
export function showing(axis: Axis, frame: number): Axis {
  const x = xOf(axis, frame);
  if (x >= 0 && x + axis.scale <= axis.width) return axis;
  return bounded({ ...axis, from: frame - axis.width / axis.scale / 2 });
}

/** Frames to write numbers at, at least so many pixels apart. */
export function ticks(axis: Axis, leastPx: number): readonly number[] {
  const least = Math.max(leastPx / axis.scale, 1);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [...NICE, 10].map((one) => one * power).find((one) => one >= least) ?? 10 * power;
  const [first, last] = inSight(axis);
  const found: number[] = [];
  for (let frame = Math.ceil(first / step) * step; frame <= last; frame += step) found.push(frame);
  return found;
}

function bounded(axis: Axis): Axis {
  const scale = Math.max(axis.scale, leastScale(axis));
  const most = Math.max(axis.last + 1 - axis.width / scale, axis.first);
  return { ...axis, scale, from: Math.min(Math.max(axis.from, axis.first), most) };
}
