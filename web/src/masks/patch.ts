// A mask in memory: the part inside its box, row by row, one byte a pixel (0 or 1). An empty mask has a box of no size.
// Values are never changed: every operation gives a new patch.

import type { BoxXyxy, SizeHw } from "../geometry/coords";

export type Patch = {
  readonly sizeHw: SizeHw;
  readonly box: BoxXyxy;
  readonly bits: Uint8Array;
};

/** As the server writes it: COCO's compressed run lengths, column by column. */
export type Rle = { readonly size_hw: SizeHw; readonly counts: string };

export const emptyPatch = (sizeHw: SizeHw): Patch => ({ sizeHw, box: [0, 0, 0, 0], bits: new Uint8Array(0) });
