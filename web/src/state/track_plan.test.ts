import { expect, test } from "vitest";
import type { FrameOut, MaskRecord, RecordOut } from "../api/types";
import { boxPatch } from "../masks/algebra";
import { encodeRle } from "../masks/rle";
import type { Entry } from "../sync/entry";
import { FRAME, recordOfTest, RLES } from "../sync/testing";
import { maskOf } from "./masks";
import type { Maker } from "./plan";
import { asPut } from "./resolve";
import { anchorOf, END, planInterpolation, planOutside, planState, planTrackMerge, planTrackSplit } from "./track_plan";
import { BEGIN, type State } from "./values";

const RLE = { kind: "RLE", ...encodeRle(boxPatch(FRAME.size_hw, [1, 1, 5, 5])) } as const;
const OTHER = { kind: "RLE", ...encodeRle(boxPatch(FRAME.size_hw, [2, 2, 6, 6])) } as const;
const EMPTY = RLES[3] ?? RLE;

function maker(): Maker {
  let number = 0;
  return { newId: () => `new${++number}`, at: () => "2026-01-01T00:00:00Z", order: () => ++number, actor: "ann" };
}

const frameAt = (index: number): FrameOut => ({
  ...FRAME,
  id: `frame-${index}`,
  ref: { kind: "FrameRef", dataset: "d", episode: "e", camera: "c", frame_index: index },
});

type Given = { readonly track?: string; readonly source?: "keyframe" | "carried" | null; readonly rle?: MaskRecord["rle"]; readonly label?: string; readonly confidence?: number };
function mask(index: number, given: Given = {}, decided: Partial<RecordOut> = {}): RecordOut {
  const { track = "mug", source = "carried", rle = RLE, label = "mug", confidence = 0.5 } = given;
  const record = recordOfTest(`${track}-${index}`, rle);
  const track_point = source === null ? null : ({ kind: "TrackPoint", source, state: "visible", confidence, anchors: [] } as const);
  return { ...asPut({ ...record, track, label, track_point, frame: frameAt(index).ref }), ...decided };
}

/** The state of a page on a frame, with the masks of it that are given. */
const on = (index: number, masks: readonly RecordOut[] = [], scope: "annotate" | "admin" = "annotate"): State => ({
  ...BEGIN,
  caller: { name: "ann", scope, store: "masks" },
  frame: frameAt(index),
  isFrameLoaded: true,
  masks: new Map(masks.filter((one) => one.record.frame?.frame_index === index).map((one) => [one.record.id, maskOf(one)])),
});

const eventsOf = (entries: readonly Entry[]): readonly string[] =>
  entries.flatMap(({ request }) =>
    request.kind === "save"
      ? request.records.map((one) => `save ${one.track}@${one.frame?.frame_index}`)
      : request.events.map(({ record_id, action }) => {
          const to = action.kind === "Retrack" ? ` ${action.track}` : action.kind === "Merge" ? ` ${action.absorbed}` : action.kind === "Split" ? ` ${action.into}` : "";
          return `${record_id} ${action.kind}${to}`;
        }),
  );
const recordsOf = (entries: readonly Entry[]) => entries.flatMap(({ request }) => (request.kind === "save" ? request.records : []));

test("anchors are those that the tracker writes", () => {
  expect(anchorOf(120, { kind: "RLE", size_hw: [2, 2], counts: "4" })).toBe("120:18388ee06dc2bf63");
});

test("a split gives what comes from here on another name, and each track an end", () => {
  const masks = [mask(0, { source: "keyframe" }), mask(1), mask(2), mask(3, {}, { status: "rejected" })];
  const frames = [frameAt(1), frameAt(2)];

  const entries = planTrackSplit(on(2, masks), maker(), masks, { track: "mug", name: "mug 2", at: 2, frames }) ?? [];

  expect(eventsOf(entries)).toEqual([
    "save mug@2",
    "save mug 2@1",
    "mug-2 Retrack mug 2",
    "mug-3 Retrack mug 2",
    "mug-2 Accept", // something has to be what the others are propagated from
    `${recordsOf(entries)[0]?.id} Accept`,
    `${recordsOf(entries)[1]?.id} Accept`,
  ]);
  expect(recordsOf(entries)[0]).toMatchObject({ provenance: { method: "human_drawn", steps: [{ name: END }] }, track_point: { source: "keyframe", state: "outside" } });
  expect(new Set(entries.map((one) => one.group)).size).toBe(1); // one undo
  expect(entries.map((one) => one.frame)).toEqual(["frame-2", null, "frame-2"]); // what is elsewhere does not show here
  const edit = entries.at(-1)?.request;
  expect(edit?.kind === "edit" && Object.keys(edit.expects).sort()).toEqual(["mug-2", "mug-3", recordsOf(entries)[0]?.id, recordsOf(entries)[1]?.id].sort());
});

test("a split needs masks on both sides, and a keyframe that is there is enough", () => {
  const masks = [mask(0, { source: "keyframe" }), mask(2, { source: "keyframe" })];
  const given = { track: "mug", name: "mug 2", frames: [] };

  expect(planTrackSplit(on(0), maker(), masks, { ...given, at: 0 })).toBeNull();
  expect(planTrackSplit(on(3), maker(), masks, { ...given, at: 3 })).toBeNull();
  expect(eventsOf(planTrackSplit(on(2), maker(), masks, { ...given, at: 2 }) ?? [])).toEqual(["mug-2 Retrack mug 2"]);
});

test("of two tracks that become one, keyframes stay, then what has pixels, then what is surer", () => {
  const stay = [mask(0, { source: "keyframe" }), mask(1, { confidence: 0.4 }), mask(2), mask(3, { source: "keyframe", rle: EMPTY })];
  const come = (index: number, given: Given = {}, decided: Partial<RecordOut> = {}): RecordOut => mask(index, { track: "cup", label: "cup", ...given }, decided);

  const entries = planTrackMerge(on(1), maker(), "mug", stay, [
    come(0),
    come(1, { confidence: 0.6 }),
    come(2, {}, { status: "rejected" }),
    come(3, { source: "keyframe" }),
    come(4, { label: "mug" }),
  ]);

  expect(eventsOf(entries)).toEqual([
    ...["mug-0 Merge cup-0", "cup-0 Retrack mug", "cup-0 Relabel"],
    ...["cup-1 Merge mug-1", "cup-1 Retrack mug", "cup-1 Relabel"],
    ...["cup-2 Retrack mug", "cup-2 Relabel"],
    ...["cup-3 Merge mug-3", "cup-3 Retrack mug", "cup-3 Relabel"],
    "cup-4 Retrack mug",
  ]);
});

test("the end of a track gives way to what comes there when two become one", () => {
  const end = mask(2, { source: "keyframe", rle: EMPTY }, { verified_by: "ann", status: "accepted" });
  const marked = { ...end, record: { ...end.record, provenance: { ...end.record.provenance, steps: [{ kind: "ProcessingStep", name: END, parameters: {} } as const] } } };

  expect(eventsOf(planTrackMerge(on(2), maker(), "mug", [marked], [mask(2, { track: "mug 2" })]))[0]).toBe("mug 2-2 Merge mug-2");
});

test("outside is an empty mask in place of the one that is there, or a new empty keyframe", () => {
  const here = mask(2);
  const edit = planOutside(on(2, [here]), maker(), { frame: frameAt(2), track: "mug", label: "mug", mask: here });
  const fresh = planOutside(on(2), maker(), { frame: frameAt(2), track: "mug", label: "mug", mask: null });

  expect(eventsOf(edit)).toEqual(["mug-2 Edit", "mug-2 Accept"]);
  expect(edit[0]?.request).toMatchObject({ events: [{ action: { rle: { counts: EMPTY.counts } } }, {}] });
  expect(eventsOf(fresh)).toEqual(["save mug@2", `${recordsOf(fresh)[0]?.id} Accept`]);
});

test("marking an object as hidden keeps its pixels and who made them, and says that it was marked", () => {
  const here = mask(2);
  const entries = planState(on(2, [here]), maker(), here, "occluded");
  const [record] = recordsOf(entries);

  expect(eventsOf(entries)).toEqual(["save mug@2", `mug-2 Split ${record?.id}`, `${record?.id} Accept`]);
  expect(record).toMatchObject({
    rle: RLE,
    track_point: { source: "keyframe", state: "occluded", anchors: [] },
    provenance: { method: "sam_raw", model: { name: "tiny" }, steps: [{ name: "mark_track_state", parameters: { state: "occluded" } }], derived_from: ["mug-2"] },
  });
  const corrected = planState(on(2, [here]), maker(), { ...here, edited_by: "bob" }, "occluded");
  expect(recordsOf(corrected)[0]?.provenance).toMatchObject({ method: "human_drawn" });
  expect(recordsOf(corrected)[0]?.provenance.model).toBeUndefined();
});

test("only an admin says that pixels are a simulator's, whatever they derive from", () => {
  const true_ = mask(2);
  const simulated = { ...true_, record: { ...true_.record, provenance: { ...true_.record.provenance, method: "simulator", model: null } as const } };
  const methodFor = (scope: "annotate" | "admin"): string | undefined =>
    recordsOf(planState(on(2, [], scope), maker(), simulated, "occluded"))[0]?.provenance.method;

  expect(methodFor("admin")).toBe("simulator");
  expect(methodFor("annotate")).toBe("human_drawn");
});

test("masks between two keyframes name them, take the place of what was propagated, and are proposals", () => {
  const [before, after] = [mask(2, { source: "keyframe" }), mask(6, { source: "keyframe", rle: OTHER })];
  const old = mask(4);
  const frames = [3, 4, 5].map((index) => ({ frame: frameAt(index), rle: RLE, old: index === 4 ? [old] : [] }));

  const entries = planInterpolation(on(4, [old]), maker(), { before, after, frames });
  const [here, ...others] = recordsOf(entries);

  expect(eventsOf(entries)).toEqual(["save mug@4", "save mug@3", "save mug@5", `mug-4 Split ${here?.id}`]);
  expect(entries.map((one) => one.frame)).toEqual(["frame-4", null, "frame-4"]);
  expect(here).toMatchObject({
    label: "mug",
    provenance: {
      method: "sam_refined",
      model: { name: "tiny" },
      steps: [{ name: "interpolate", parameters: { from: 2, to: 6, share: 0.5 } }],
      derived_from: ["mug-2", "mug-6", "mug-4"],
    },
    track_point: { source: "carried", state: "visible", confidence: 0.5, anchors: [anchorOf(2, RLE), anchorOf(6, OTHER)] },
  });
  expect(others.map((one) => one.track_point?.confidence)).toEqual([0.75, 0.75]);
});

test("masks between keyframes that people drew are no model's", () => {
  const drawn = (index: number): RecordOut => mask(index, { source: "keyframe" }, { edited_by: "ann" });
  const frames = [{ frame: frameAt(3), rle: RLE, old: [] }];

  const [record] = recordsOf(planInterpolation(on(2), maker(), { before: drawn(2), after: drawn(4), frames }));

  expect(record?.provenance).toMatchObject({ method: "human_drawn" });
  expect(record?.provenance.model).toBeUndefined();
});
