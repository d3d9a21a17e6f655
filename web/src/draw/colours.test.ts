import { expect, test } from "vitest";
import { colourOf, css, NAMELESS, nameColour, pixel, scoreColour, type Rgb } from "./colours";

const facts = { id: "a", label: "cup", track: null, score: 0.9, status: "proposed" };
const lightness = ([r, g, b]: Rgb): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;

test("a name has one colour, whatever else there is", () => {
  expect(nameColour("cup")).toEqual(nameColour("cup"));
  expect(colourOf("label", facts)).toEqual(nameColour("cup"));
});

test("thirty names use most of the palette", () => {
  const colours = new Set(Array.from({ length: 30 }, (_, i) => css(nameColour(`object ${i}`))));

  expect(colours.size).toBeGreaterThan(11);
});

test("what is not known is grey", () => {
  expect(colourOf("track", facts)).toEqual(NAMELESS);
  expect(colourOf("score", { ...facts, score: null })).toEqual(NAMELESS);
  expect(colourOf("status", { ...facts, status: "merged" })).toEqual(NAMELESS);
});

test("a higher score is lighter, so that the order shows without hues", () => {
  const steps = [0, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2].map((score) => lightness(scoreColour(score)));

  expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  expect(steps[6]).toBeGreaterThan((steps[1] ?? 0) + 100);
});

test("accepted and rejected differ in lightness too", () => {
  const [accepted, rejected] = ["accepted", "rejected"].map((status) => colourOf("status", { ...facts, status }));

  expect(accepted).not.toEqual(rejected);
});

test("a pixel has red first and alpha last in memory", () => {
  const bytes = new Uint8Array(new Uint32Array([pixel([1, 2, 3], 1)]).buffer);

  expect([...bytes]).toEqual([1, 2, 3, 255]);
});
