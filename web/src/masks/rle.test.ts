import { describe, expect, test } from "vitest";
import { columnEdges, countBits, fillDown } from "./bits";
import { MaskError } from "./errors";
import { decodeRle, decodeRles, encodeRle, writeRuns } from "./rle";
import { dense, drawing, eachSeed, isSound, randomPatch } from "./testing";

test("encoding and decoding keeps every pixel, whatever the width", () => {
  eachSeed(400, (random) => {
    const patch = randomPatch(random);

    const back = decodeRle(encodeRle(patch));

    expect(back).toEqual(patch);
    expect(isSound(back)).toBe(true);
  });
});

test("runs of nothing, which some writers leave, are read and not written", () => {
  const patch = decodeRle({ size_hw: [2, 3], counts: writeRuns([0, 0, 1, 1, 0, 2, 2]) });

  expect(dense(patch)).toEqual(dense(drawing(".#. ##.")));
  expect(encodeRle(patch).counts).toBe(writeRuns([1, 3, 2]));
});

test("a mask of a 50-megapixel image costs its runs and not its pixels", () => {
  const patch = decodeRle({ size_hw: [6000, 8500], counts: writeRuns([6000 * 8500 - 1, 1]) });

  expect(patch.box).toEqual([8499, 5999, 8500, 6000]);
  expect(patch.bits).toEqual(Uint8Array.of(1));
});

describe("malformed counts are refused with what is wrong:", () => {
  test.each([
    ["a character that COCO does not use", "1~1", "'0' to 'o', got \"~\" at character 1"],
    ["counts cut off within a run", "1P", "got 2 characters cut off within one"],
    ["an endless run", "PPPPPPPPPP0", "at most 7 characters a run"],
    ["runs that are too short", "1", "add up to height x width = 4 pixels"],
    ["runs that are too long", "99", "add up to height x width = 4 pixels"],
    ["no runs", "", "add up to height x width = 4 pixels"],
    ["a negative run", "O5", "add up to height x width = 4 pixels"],
  ])("%s", (_, counts, message) => {
    expect(() => decodeRle({ size_hw: [2, 2], counts })).toThrow(MaskError);
    expect(() => decodeRle({ size_hw: [2, 2], counts })).toThrow(message);
  });

  test("a size that is none", () => {
    expect(() => decodeRle({ size_hw: [0, 2], counts: "0" })).toThrow("at least 1x1 and below 2^31 pixels, got 0,2");
  });
});

test("one mask that cannot be read does not take the others with it", () => {
  const good = encodeRle(drawing("#. .#"));

  const { patches, problems } = decodeRles([good, { size_hw: [2, 2], counts: "x" }, good]);

  expect(patches.map(dense)).toEqual([dense(drawing("#. .#")), new Uint8Array(4), dense(drawing("#. .#"))]);
  expect(problems.map((problem) => problem.index)).toEqual([1]);
});

test("masks decoded together are those decoded one by one, in few buffers", () => {
  eachSeed(10, (random) => {
    const rles = Array.from({ length: 50 }, () => encodeRle(randomPatch(random)));

    const { patches, buffers } = decodeRles(rles);

    expect(patches).toEqual(rles.map(decodeRle));
    expect(buffers.length).toBe(1);
  });
});

test("the fast loops over bitmaps do what the plain ones do, at every width and alignment", () => {
  eachSeed(300, (random) => {
    const [width, height, shift] = [1 + random.below(13), 1 + random.below(9), random.below(4)];
    const bits = new Uint8Array(width * height + shift).map(() => random.below(2)).subarray(shift);
    const plain = bits.slice();
    for (let i = width; i < plain.length; i += 1) plain[i]! ^= plain[i - width]!;
    const filled = bits.slice();
    fillDown(filled, width);

    expect(countBits(bits)).toBe(bits.reduce((sum, bit) => sum + bit, 0));
    expect(filled).toEqual(plain);

    const { offsets, rows } = columnEdges(bits, width, height);
    const marks = new Uint8Array(width * (height + 1));
    for (let x = 0; x < width; x += 1)
      rows.subarray(offsets[x], offsets[x + 1]).forEach((y) => (marks[y * width + x] = 1));
    fillDown(marks, width);
    expect(marks.subarray(0, bits.length)).toEqual(bits);
  });
});

test("more than a million pixels are counted without a sum running over", () => {
  expect(countBits(new Uint8Array(1_234_567).fill(1))).toBe(1_234_567);
});
