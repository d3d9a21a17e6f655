// Coordinates that cannot be mixed up. Image pixels have their origin in the image's upper left corner, x to the right;
// screen pixels are CSS pixels of the canvas. Only view.ts turns one into the other.

declare const space: unique symbol;

export type ImagePoint = { readonly x: number; readonly y: number; readonly [space]: "image" };
export type ScreenPoint = { readonly x: number; readonly y: number; readonly [space]: "screen" };

/** x1, y1, x2, y2 in image pixels; x2 and y2 are the first column and row beyond the box, as in Python. */
export type BoxXyxy = readonly [number, number, number, number];

/** (height, width) in pixels. */
export type SizeHw = readonly [number, number];

export const imagePoint = (x: number, y: number): ImagePoint => ({ x, y }) as ImagePoint;
export const screenPoint = (x: number, y: number): ScreenPoint => ({ x, y }) as ScreenPoint;
