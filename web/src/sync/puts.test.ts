import { expect, test } from "vitest";
import { recordOfTest, RLES } from "./testing";
import { asPut } from "../state/resolve";
import { isOwn, mayBeOn, withOwn, type Put } from "./puts";

const REF = { kind: "FrameRef", dataset: "kitchen", episode: "e 2", camera: "front", frame_index: 7, timestamp_s: null } as const;
const PUT: Put = { moment: 3, num_records: 2, dataset: ["kitchen", "kitchen"], episode: ["e 1", "e 3"], camera: ["front", "front"], frame_index: [5, 9] };

test.each<[boolean, Partial<Put>]>([
  [true, {}],
  [true, { episode: null, frame_index: null }],
  [true, { frame_index: [7, 7] }],
  [false, { frame_index: [8, 9] }],
  [false, { camera: ["wrist", "wrist"] }],
  [false, { dataset: ["a", "b"] }],
])("new masks are on a frame that lies between their ends: %s", (expected, given) => {
  expect(mayBeOn({ ...PUT, ...given }, REF)).toBe(expected);
});

test("a loose picture is meant where a place is missing", () => {
  expect(mayBeOn(PUT, null)).toBe(false);
  expect(mayBeOn({ ...PUT, dataset: null }, null)).toBe(true);
});

test("of what one saved oneself one is not told, but of what others saved at the same moment", () => {
  const items = ["a", "b"].map((id) => asPut(recordOfTest(id, RLES[0] ?? { size_hw: [1, 1], counts: "1" })));
  const own = withOwn(withOwn(new Map(), { moment: 3, items: items.slice(0, 1) }), { moment: 3, items });

  expect(isOwn(own, PUT)).toBe(true);
  expect(isOwn(own, { ...PUT, num_records: 3 })).toBe(false);
  expect(isOwn(own, { ...PUT, moment: 4 })).toBe(false);
});
