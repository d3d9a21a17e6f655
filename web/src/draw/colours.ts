// Colours of masks. Names keep their colour wherever they appear, whatever else is on the frame, and neighbours in the
// list can be told apart by people who see red and green alike (Okabe and Ito's eight, in three lightnesses).

export type Rgb = readonly [number, number, number];

const HUES: readonly Rgb[] = [
  [230, 159, 0], // orange
  [86, 180, 233], // sky blue
  [0, 158, 115], // bluish green
  [240, 228, 66], // yellow
  [0, 114, 178], // blue
  [213, 94, 0], // vermilion
  [204, 121, 167], // reddish purple
];
const LIGHTER = 0.45;
const DARKER = 0.3;

const PALETTE: readonly Rgb[] = [
  ...HUES,
  ...HUES.map((hue) => mix(hue, [255, 255, 255], LIGHTER)),
  ...HUES.map((hue) => mix(hue, [0, 0, 0], DARKER)),
];

/** What has no name, no track or no score. */
export const NAMELESS: Rgb = [160, 160, 160];

/** The mask in hand stands out from every other. */
export const IN_HAND: Rgb = [255, 214, 10];
export const PREVIEW: Rgb = [255, 255, 255];

const STATUS: Readonly<Record<string, Rgb>> = {
  proposed: [86, 180, 233],
  accepted: [0, 158, 115],
  rejected: [213, 94, 0],
};

// From dark blue to yellow, evenly lighter: the order shows without seeing hues (cividis, sampled).
const RAMP: readonly Rgb[] = [
  [0, 34, 78],
  [53, 69, 108],
  [102, 105, 112],
  [148, 142, 119],
  [200, 184, 102],
  [254, 232, 56],
];
/** Scores below are drawn as this: predicted IoU of masks that are worth a look lies above. */
const LEAST_SCORE = 0.5;

export type ColourBy = "mask" | "label" | "track" | "score" | "status";

/** What of a mask its colour may tell. */
export type ColourFacts = {
  readonly id: string;
  readonly label: string | null;
  readonly track: string | null;
  readonly score: number | null;
  readonly status: string;
};

export function colourOf(by: ColourBy, facts: ColourFacts): Rgb {
  switch (by) {
    case "mask":
      return nameColour(facts.id);
    case "label":
      return facts.label === null ? NAMELESS : nameColour(facts.label);
    case "track":
      return facts.track === null ? NAMELESS : nameColour(facts.track);
    case "score":
      return facts.score === null ? NAMELESS : scoreColour(facts.score);
    case "status":
      return STATUS[facts.status] ?? NAMELESS;
  }
}

/** The same name has the same colour, on every frame and every machine. */
export const nameColour = (name: string): Rgb => PALETTE[hash(name) % PALETTE.length] ?? NAMELESS;

export function scoreColour(score: number): Rgb {
  const share = Math.min(Math.max((score - LEAST_SCORE) / (1 - LEAST_SCORE), 0), 1) * (RAMP.length - 1);
  const from = RAMP[Math.floor(share)] ?? NAMELESS;
  return mix(from, RAMP[Math.ceil(share)] ?? from, share % 1);
}

export const css = ([r, g, b]: Rgb, alpha = 1): string => `rgb(${r} ${g} ${b} / ${alpha})`;

/** A pixel of ImageData and of a texture, as one little-endian number. */
export const pixel = ([r, g, b]: Rgb, alpha: number): number =>
  ((Math.round(alpha * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0;

export function mix(a: Rgb, b: Rgb, share: number): Rgb {
  const at = (x: number, y: number): number => Math.round(x + (y - x) * share);
  return [at(a[0], b[0]), at(a[1], b[1]), at(a[2], b[2])];
}

// FNV-1a: spreads short names well, and is short.
function hash(name: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}
