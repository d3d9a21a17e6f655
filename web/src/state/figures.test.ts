import { expect, test } from "vitest";
import type { JobOut, Operations } from "../api/types";
import { partAround } from "../components/pair_painter";
import { boxPatch } from "../masks/algebra";
import { agreementFigures, figuresOf, findingsIn, lossesIn } from "./figures";

const EFFORT = { num_masks: 0, seconds: 0, seconds_per_mask: null, masks_per_hour: null };
const PROGRESS: Operations["get_progress"]["answer"] = {
  num_masks: { proposed: 6, accepted: 3, rejected: 1, merged: 0, split: 0 },
  num_frames: 5,
  num_frames_left: 2,
  episodes: [{ dataset: "kitchen", name: "0", num_masks: { proposed: 6, accepted: 3, rejected: 1 }, num_frames: 5, num_frames_left: 2 }],
  labels: [{ dataset: null, name: null, num_masks: { proposed: 1 }, num_frames: 1, num_frames_left: 1 }],
  models: [{ name: "tiny", checkpoint_sha256: "0123456789ab", num_masks: 10, num_accepted: 2, num_corrected: 1, num_rejected: 1, acceptance_rate: 0.5 }],
  annotators: [],
  assisted: { num_masks: 4, seconds: 20, seconds_per_mask: 5, masks_per_hour: 720 },
  drawn: { num_masks: 1, seconds: 60, seconds_per_mask: 60, masks_per_hour: 60 },
  hours_left: 0.5,
  idle_s: 180,
  is_cut: false,
};

test("tiles say how far it is, how long it takes, and how much quicker the model is", () => {
  expect(figuresOf(PROGRESS).tiles.map(({ value, note }) => `${value} ${note}`.trim())).toEqual([
    "40 % 4 / 10",
    "2 / 5",
    "30 min",
    "720 masks/h 12.0 times as fast with the model",
    "50 % 2 / 4",
  ]);
});

test("bars have their parts in one order, and names for what has none", () => {
  const { episodes, labels, models, times } = figuresOf(PROGRESS);

  expect(episodes[0]).toMatchObject({ name: "kitchen 0", told: "4 / 10", parts: [{ value: 3 }, { value: 1 }, { value: 6 }] });
  expect(labels[0]?.name).toBe("No label");
  expect(models[0]).toMatchObject({ name: "tiny (01234567)", told: "50 %", parts: [{ value: 2 }, { value: 1 }, { value: 1 }] });
  expect(times.map((one) => one.told)).toEqual(["5.0 s", "60.0 s"]);
});

test("where nothing is known yet, that is said", () => {
  const empty = figuresOf({ ...PROGRESS, num_masks: {}, episodes: [], labels: [], models: [], assisted: EFFORT, drawn: EFFORT, hours_left: null });

  expect(empty.tiles.map((one) => one.value)).toEqual(["–", "2", "–", "–", "–"]);
  expect(empty.times).toEqual([]);
  expect(agreementFigures([{ first: "ann", second: "bob", num_masks: 4, num_same: 3, mean_iou: 0.875 }])[0]).toMatchObject({
    name: "ann and bob",
    parts: [{ value: 3 }, { value: 1 }],
    told: "3 of 4 the same, IoU 0.88 on average",
  });
});

const JOB: JobOut = {
  ...{ id: "j", kind: "audit", state: "done", caller: "ria", created_at: "", started_at: null, ended_at: null },
  ...{ progress: { done: 1, total: null, eta_s: null }, request: {}, result: null, has_file: false, error: null },
};

test("what a job came to is read with care", () => {
  const finding = { check: "unverified", severity: "warning", says: "masks", advice: "look", count: 9, num_more: 6, examples: [{ text: "a", record_id: "a", frame: "f" }, { text: "b" }, 3] };

  expect(findingsIn(JOB)).toBeNull();
  expect(findingsIn({ ...JOB, result: { findings: "none" } })).toEqual({ numMasks: 0, numFrames: 0, isClean: false, findings: [] });
  expect(findingsIn({ ...JOB, result: { num_masks: 9, findings: [finding] } })?.findings[0]?.examples).toEqual([
    { text: "a", frame: "f", recordId: "a" },
    { text: "b", frame: null, recordId: null },
  ]);
  const result = { num_masks: 2, num_frames: 1, losses: [{ what: "comments", count: 1, example: "x" }], skipped: [{ name: "f", reason: "gone" }] };
  expect(lossesIn({ ...JOB, kind: "export", result })).toEqual(["2 masks on 1 frame", "Not kept: comments (1)", "1 item left out"]);
});

test("the part of a picture that is shown has both masks in its middle, whatever the shape", () => {
  const size = [100, 200] as const;
  const [x1, y1, x2, y2] = partAround([boxPatch(size, [10, 10, 20, 20]), boxPatch(size, [60, 30, 80, 40])], size, 1.5);

  expect((x1 + x2) / 2).toBeCloseTo(45);
  expect((y1 + y2) / 2).toBeCloseTo(25);
  expect((x2 - x1) / (y2 - y1)).toBeCloseTo(1.5);
  expect(x1).toBeLessThan(10);
  expect(x2).toBeGreaterThan(80);
  expect(partAround([boxPatch(size, [0, 0, 0, 0])], size, 2)[2]).toBeGreaterThan(200);
});
