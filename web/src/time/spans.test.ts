import { expect, test } from "vitest";
import { recordOfTest, RLES } from "../sync/testing";
import { asPut } from "../state/resolve";
import type { RecordOut } from "../api/types";
import { confidenceAt, kindOf, partOf, spanAt, spansOfFrame, withFrames, withRange, type Span } from "./spans";

const span = (first: number, last: number, given: Partial<Span> = {}): Span => ({
  track: "mug",
  first,
  last,
  source: "carried",
  state: "visible",
  status: "proposed",
  is_keyframe: false,
  is_corrected: false,
  confidence: Array.from({ length: last - first + 1 }, (_, i) => (first + i) / 100),
  ...given,
});
const ends = (spans: readonly Span[]): readonly (readonly [number, number])[] => spans.map((one) => [one.first, one.last] as const);

test("the span of a frame is found, or that there is none", () => {
  const spans = [span(0, 3), span(5, 5), span(8, 20)];

  expect([0, 3, 4, 5, 7, 8, 20, 21].map((frame) => spanAt(spans, frame)?.first ?? null)).toEqual([0, 0, null, 5, null, 8, 8, null]);
  expect(spanAt([], 3)).toBeNull();
  expect(confidenceAt(spans[2]!, 9)).toBe(0.09);
});

test("a part of a span has its confidences", () => {
  expect(partOf(span(0, 9), 3, 5)).toEqual(span(3, 5));
  expect(partOf(span(0, 9), 10, 12)).toBeNull();
  expect(partOf(span(0, 9, { confidence: null }), 8, 99)).toEqual(span(8, 9, { confidence: null }));
});

test("what is told of frames takes the place of what was known, and what looks the same is one span again", () => {
  const known = [span(0, 9)];

  expect(withRange(known, 4, 5, [])).toEqual([span(0, 3), span(6, 9)]);
  expect(withRange(known, 4, 5, [span(4, 5)])).toEqual(known);
  const accepted = span(4, 4, { status: "accepted", is_keyframe: true });
  expect(ends(withRange(known, 4, 4, [accepted]))).toEqual([[0, 3], [4, 4], [5, 9]]);
  expect(ends(withRange([], 0, 9, [span(7, 20), span(0, 2)]))).toEqual([[0, 2], [7, 9]]);
});

test("tracks that are gone from all frames are gone", () => {
  const known = new Map([
    ["mug", [span(0, 9)]],
    ["bin", [span(0, 2, { track: "bin" })]],
  ]);

  const next = withFrames(known, 0, 4, [span(0, 4, { track: "lid" })]);

  expect([...next.keys()].sort()).toEqual(["lid", "mug"]);
  expect(ends(next.get("mug") ?? [])).toEqual([[5, 9]]);
});

test("many random pieces come to the same as frame by frame", () => {
  let seed = 7;
  const chance = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const looks = [{}, { status: "accepted" as const }, { state: "outside" as const }];
  let spans: readonly Span[] = [];
  const frames = new Map<number, string>();
  for (let round = 0; round < 200; round++) {
    const first = Math.floor(chance() * 60);
    const last = first + Math.floor(chance() * 12);
    const told = chance() < 0.2 ? [] : [span(first, last, looks[Math.floor(chance() * 3)])];
    spans = withRange(spans, first, last, told);
    for (let frame = first; frame <= last; frame++) {
      if (told.length === 0) frames.delete(frame);
      else frames.set(frame, `${told[0]!.status} ${told[0]!.state}`);
    }
  }
  for (let frame = 0; frame < 80; frame++) {
    const found = spanAt(spans, frame);
    expect(found === null ? undefined : `${found.status} ${found.state}`).toBe(frames.get(frame));
    if (found !== null) expect(confidenceAt(found, frame)).toBe(frame / 100);
  }
  for (const [i, one] of spans.entries()) if (i > 0) expect(one.first).toBeGreaterThan(spans[i - 1]!.last);
});

const mask = (id: string, given: Partial<RecordOut> = {}, source: Span["source"] = "carried", track: string | null = "mug"): RecordOut => {
  const record = recordOfTest(id, RLES[0] ?? { size_hw: [1, 1], counts: "1" });
  const track_point = source === null ? null : ({ kind: "TrackPoint", source, state: "occluded", confidence: 0.5, anchors: [] } as const);
  return { ...asPut({ ...record, track, track_point }), ...given };
};

test("masks of a frame say what their tracks are there", () => {
  const [found] = spansOfFrame(4, [mask("a")]);

  expect(found).toEqual(span(4, 4, { state: "occluded", confidence: [0.5] }));
  expect(spansOfFrame(4, [mask("a", {}, "carried", null), mask("b", { status: "merged" })])).toEqual([]);
  expect(spansOfFrame(4, [mask("a", { verified_by: "ann", status: "accepted" })])[0]).toMatchObject({ is_keyframe: true, status: "accepted" });
  expect(spansOfFrame(4, [mask("a", { edited_by: "ann" })])[0]).toMatchObject({ state: "visible", is_corrected: true, is_keyframe: true });
  expect(spansOfFrame(4, [mask("a", {}, null)])[0]).toMatchObject({ source: null, is_keyframe: true, confidence: null });
});

test("of several masks a keyframe speaks, then the newest that is listed", () => {
  const keyframe = mask("k", {}, "keyframe");
  const rejected = mask("r", { status: "rejected" });

  expect(spansOfFrame(4, [keyframe, mask("a"), rejected])[0]?.source).toBe("keyframe");
  expect(spansOfFrame(4, [mask("a"), rejected])[0]?.status).toBe("proposed");
  expect(spansOfFrame(4, [rejected])[0]?.status).toBe("rejected");
});

test("a kind says first what nobody wants, then where nothing is seen", () => {
  expect(kindOf(span(0, 0, { status: "rejected", state: "occluded" }))).toBe("rejected");
  expect(kindOf(span(0, 0, { state: "outside", is_keyframe: true }))).toBe("outside");
  expect(kindOf(span(0, 0, { is_keyframe: true }))).toBe("keyframe");
  expect(kindOf(span(0, 0))).toBe("propagated");
});
