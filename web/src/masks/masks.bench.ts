// What the page does between two frames or two moves of the pointer: npx vitest bench --run src/masks
// The budgets are those of the review application: 2,000 masks of a 1920x1080 frame decoded in 150 ms, 20 ms a move.

import { bench, describe } from "vitest";
import { imagePoint, type SizeHw } from "../geometry/coords";
import { union } from "./algebra";
import { beginStroke, endStroke, extendStroke, paintStroke } from "./brush";
import { smoothBoundary } from "./cleanup";
import { cut } from "./cut";
import { fill } from "./fill";
import { interpolate } from "./interpolate";
import { islands } from "./islands";
import { createLabelMap, hit, setPatch } from "./labelmap";
import { emptyPatch, type Patch } from "./patch";
import { decodeRles, encodeRle } from "./rle";
import { seeded, type Random } from "./testing";
import { trace } from "./trace";

const SIZE: SizeHw = [1080, 1920];
const ONCE = { time: 1000, warmupTime: 300 };

/** A shape like an object's: a disc with waves on its edge, of a mean radius. */
const wavy = (random: Random, x: number, y: number, radius: number): Patch => {
  const [lobes, phase] = [3 + random.below(6), random.unit() * 7];
  const count = 64 + 2 * Math.round(radius);
  const ring = Float64Array.from({ length: 2 * count }, (_, i) => {
    const angle = (Math.floor(i / 2) / count) * 2 * Math.PI;
    const away = radius * (1 + 0.25 * Math.sin(lobes * angle + phase) + 0.04 * Math.sin(23 * angle));
    return i % 2 === 0 ? x + away * Math.cos(angle) : y + away * Math.sin(angle);
  });
  return fill({ sizeHw: SIZE, islands: [{ exterior: ring, holes: [] }] });
};

const many = (count: number): Patch[] => {
  const random = seeded(3);
  return Array.from({ length: count }, () => {
    const radius = 8 * (1 / (1 - 0.97 * random.unit())) ** 0.8; // few large ones: 8 to 130 px
    return wavy(random, random.unit() * 1920, random.unit() * 1080, radius);
  });
};

const patches = many(2000);
const rles = patches.map(encodeRle);
const labelled = many(10_000).map((patch, i) => ({ id: `m${i}`, patch }));
const large = wavy(seeded(5), 960, 540, 400); // 500,000 pixels
const outline = trace(large);
const pixels = patches.reduce((sum, patch) => sum + patch.bits.length, 0);

describe(`2,000 masks of 1920x1080, ${Math.round(pixels / 1e6)} million pixels in their boxes`, () => {
  bench("decode", () => void decodeRles(rles), ONCE);
  bench("encode", () => void patches.map(encodeRle), ONCE);
  bench("trace", () => void patches.map(trace), ONCE);
});

describe("label map", () => {
  const map = createLabelMap(SIZE, labelled);
  let turn = 0;
  bench("make, 2,000 masks", () => void createLabelMap(SIZE, labelled.slice(0, 2000)), ONCE);
  bench("make, 10,000 masks", () => void createLabelMap(SIZE, labelled), ONCE);
  bench(
    "change one of 10,000",
    () => {
      const { id, patch } = labelled[(turn += 1) % 10_000]!;
      setPatch(map, id, patch);
    },
    ONCE,
  );
  bench("hit one of 10,000", () => void hit(map, imagePoint((turn += 37) % 1920, (turn * 7) % 1080)), ONCE);
});

describe("a brush of 40 px radius on a mask of 500,000 pixels", () => {
  let at = 0;
  let stroke = beginStroke(large, { radius: 40, isErasing: false });
  bench("begin", () => void beginStroke(large, { radius: 40, isErasing: false }), ONCE);
  bench(
    "a move of 30 px",
    () => {
      at += 0.05;
      extendStroke(stroke, imagePoint(960 + 600 * Math.cos(at), 540 + 500 * Math.sin(3 * at)));
    },
    ONCE,
  );
  bench(
    "end",
    () => {
      stroke = beginStroke(large, stroke.brush);
      endStroke(stroke);
    },
    ONCE,
  );
});

describe("a mask of 500,000 pixels", () => {
  const moved = wavy(seeded(6), 1000, 560, 380);
  const line = [imagePoint(200, 300), imagePoint(1700, 800)];
  bench("trace", () => void trace(large), ONCE);
  bench("fill its outline", () => void fill(outline), ONCE);
  bench("encode", () => void encodeRle(large), ONCE);
  bench("join with another", () => void union(large, moved), ONCE);
  bench("islands", () => void islands(large), ONCE);
  bench("smooth", () => void smoothBoundary(large), ONCE);
  bench("cut", () => void cut(large, line), ONCE);
  bench("interpolate", () => void interpolate(large, moved, 0.5), ONCE);
  bench(
    "paint a stroke of 50 moves",
    () => {
      paintStroke(
        emptyPatch(SIZE),
        Array.from({ length: 50 }, (_, i) => imagePoint(i * 30, 500)),
        { radius: 40, isErasing: false },
      );
    },
    ONCE,
  );
});
