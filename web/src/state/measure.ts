// Area and tight box of a mask straight from its run lengths, without drawing it.

import type { BoxXyxy } from "../geometry/coords";
import type { RLE } from "../api/types";

export type Measure = { readonly area: number; readonly box: BoxXyxy };

/** Measure a mask; (0, 0, 0, 0) is the box of an empty one. Exclusive right and bottom edges, as in Python. */
export function measure(rle: Pick<RLE, "size_hw" | "counts">): Measure {
  const height = rle.size_hw[0];
  let [x1, y1, x2, y2] = [Infinity, Infinity, -1, -1];
  let [area, place, isSet] = [0, 0, false];
  for (const run of runsOf(rle.counts)) {
    if (isSet && run > 0) {
      const last = place + run - 1;
      const [from, to] = [Math.floor(place / height), Math.floor(last / height)];
      area += run;
      x1 = Math.min(x1, from);
      x2 = Math.max(x2, to);
      y1 = from === to ? Math.min(y1, place % height) : 0;
      y2 = from === to ? Math.max(y2, last % height) : height - 1;
    }
    place += run;
    isSet = !isSet;
  }
  return { area, box: area === 0 ? [0, 0, 0, 0] : [x1, y1, x2 + 1, y2 + 1] };
}

/** Read COCO's compressed counts: five bits a character, from the third on as the difference to the one before last. */
export function* runsOf(counts: string): Generator<number> {
  let [before, last] = [0, 0];
  let index = 0;
  for (let place = 0; place < counts.length; index++) {
    let [run, weight, character] = [0, 1, 0];
    do {
      character = counts.charCodeAt(place++) - 48;
      run += (character & 31) * weight;
      weight *= 32; // not a shift: large pictures have more pixels than 32 bits count
    } while ((character & 32) !== 0 && place < counts.length);
    if ((character & 16) !== 0) run -= weight;
    if (index > 2) run += before;
    yield run;
    before = last;
    last = run;
  }
}
