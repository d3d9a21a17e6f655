// The work itself, in steps: a job yields every few milliseconds, so that whoever runs it can stop it in between.

import { interpolate } from "../masks/interpolate";
import { smoothBoundary } from "../masks/cleanup";
import type { Patch } from "../masks/patch";
import { decodeRles, encodeRle } from "../masks/rle";
import { trace } from "../masks/trace";
import type { Answer, Ask, Kind } from "./base";

export type Done<K extends Kind> = { readonly answer: Answer<K>; readonly handedOver: readonly ArrayBuffer[] };
export type Job<K extends Kind> = Generator<undefined, Done<K>, undefined>;

const MASKS_PER_STEP = 256; // about 5 ms of decoding
const PIXELS_PER_STEP = 1 << 20; // about as long, of encoding and tracing

export const jobs: { readonly [K in Kind]: (ask: Ask<K>) => Job<K> } = {
  *decode(rles) {
    const batches = [];
    for (let first = 0; first < rles.length; first += MASKS_PER_STEP) {
      batches.push(decodeRles(rles.slice(first, first + MASKS_PER_STEP)));
      yield;
    }
    const problems = batches.flatMap((batch, i) =>
      batch.problems.map(({ index, message }) => ({ index: index + i * MASKS_PER_STEP, message })),
    );
    return {
      answer: { patches: batches.flatMap((batch) => batch.patches), problems },
      handedOver: batches.flatMap((batch) => batch.buffers),
    };
  },

  *encode(patches) {
    return { answer: yield* inSteps(patches, encodeRle), handedOver: [] };
  },

  *trace(patches) {
    const answer = yield* inSteps(patches, trace);
    const rings = answer.flatMap((polygons) => polygons.islands.map((island) => island.exterior));
    return { answer, handedOver: buffersOf(rings) }; // holes share the buffers of exteriors
  },

  *smooth({ patch, sigma }) {
    const answer = smoothBoundary(patch, sigma);
    return { answer, handedOver: bitmapsOf([answer]) };
  },

  *interpolate({ from, to, shares }) {
    const answer = [];
    for (const share of shares) {
      answer.push(interpolate(from, to, share));
      yield;
    }
    return { answer, handedOver: bitmapsOf(answer) };
  },
};

/** Do something to each patch, and yield whenever the bitmaps so far were large enough for a step. */
function* inSteps<T>(patches: readonly Patch[], change: (patch: Patch) => T): Generator<undefined, T[], undefined> {
  const changed: T[] = [];
  let pixels = 0;
  for (const patch of patches) {
    changed.push(change(patch));
    pixels += patch.bits.length;
    if (pixels < PIXELS_PER_STEP) continue;
    pixels = 0;
    yield;
  }
  return changed;
}

const bitmapsOf = (patches: readonly Patch[]): ArrayBuffer[] => buffersOf(patches.map((patch) => patch.bits));

const buffersOf = (arrays: readonly (Uint8Array | Float64Array)[]): ArrayBuffer[] => [
  ...new Set(arrays.map((array) => array.buffer as ArrayBuffer)),
];
