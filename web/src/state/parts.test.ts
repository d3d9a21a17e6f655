import { expect, test } from "vitest";
import { recordOfTest, RLES } from "../sync/testing";
import { maskOf } from "./masks";
import { canBePart, rowsOf, wholesOf, withParts } from "./parts";
import { asPut } from "./resolve";
import type { Mask } from "./values";

const mask = (id: string, parent: string | null = null): Mask =>
  maskOf(asPut({ ...recordOfTest(id, RLES[0] ?? { size_hw: [1, 1], counts: "1" }), parent }));
const mapOf = (masks: readonly Mask[]): ReadonlyMap<string, Mask> => new Map(masks.map((one) => [one.view.record.id, one]));
const shown = (masks: readonly Mask[], ...collapsed: string[]): readonly string[] =>
  rowsOf(masks, new Set(collapsed)).map((row) => `${" ".repeat(row.depth)}${row.mask.view.record.id}${row.isCollapsed ? "+" : ""}`);

const HOUSE = [mask("knob", "door"), mask("house"), mask("door", "house"), mask("tree"), mask("roof", "house")];

test("parts stand under what they are parts of, in their order", () => {
  expect(shown(HOUSE)).toEqual(["house", " door", "  knob", " roof", "tree"]);
  expect(rowsOf(HOUSE, new Set()).map((row) => row.numParts)).toEqual([2, 1, 0, 0, 0]);
});

test("without parts the list is as it was", () => {
  const masks = ["c", "a", "b"].map((id) => mask(id));

  expect(shown(masks)).toEqual(["c", "a", "b"]);
});

test("a collapsed mask hides what is below it, and one without parts cannot be collapsed", () => {
  expect(shown(HOUSE, "house", "tree")).toEqual(["house+", "tree"]);
  expect(shown(HOUSE, "door")).toEqual(["house", " door+", " roof", "tree"]);
});

test("a mask whose whole is not in sight, or that goes round in a circle, is shown all the same", () => {
  expect(shown([mask("part", "elsewhere"), mask("own", "own")])).toEqual(["part", "own"]);
  expect(shown([mask("a", "b"), mask("b", "a"), mask("c", "a")])).toEqual(["a", " b", " c"]);
  expect(wholesOf(mapOf([mask("a", "b"), mask("b", "a")]), "a")).toEqual(["b"]);
});

test("masks are selected with all below them", () => {
  expect(withParts(mapOf(HOUSE), ["door", "tree"])).toEqual(["door", "knob", "tree"]);
});

test("nothing becomes a part of itself or of a part of its own", () => {
  const masks = mapOf(HOUSE);

  expect(wholesOf(masks, "knob")).toEqual(["door", "house"]);
  expect(canBePart(masks, "house", "knob")).toBe(false);
  expect(canBePart(masks, "house", "house")).toBe(false);
  expect(canBePart(masks, "knob", "tree")).toBe(true);
});
