import { expect, test } from "vitest";
import type { EditedOut, RecordOut } from "../api/types";
import { boxPatch } from "../masks/algebra";
import { chanceOf, FRAME, pick, recordOfTest, RLES, type Chance } from "../sync/testing";
import { newDraft } from "../tools/draft";
import type { StateEvent } from "./events";
import { takeHand } from "./hand";
import { drawnRecord, planEach, planMerge, planSave, planSplit, type Maker } from "./plan";
import { reduce } from "./reduce";
import { asPut, resolve } from "./resolve";
import { sceneLook, sceneMasks, undecoded } from "./scene";
import { completions, countsOf, facetsOf, labelChoices, neighbour, nextUnreviewed, syncState, visibleMasks } from "./select";
import { microsecondsOf, tagOf } from "./tags";
import { BEGIN, NO_FILTER, type State } from "./values";

const [SMALL, LARGE] = RLES;
const OTHER_FRAME = { ...FRAME, id: "frame-1" };
const recordWith = (id: string, changes: Partial<RecordOut["record"]> = {}): RecordOut => asPut({ ...recordOfTest(id, SMALL ?? { size_hw: [1, 1], counts: "1" }), ...changes });

function opened(...records: readonly RecordOut[]): State {
  const state = reduce(BEGIN, { type: "frame-opened", frame: FRAME });
  return reduce(state, { type: "records-told", frame: FRAME.id, items: records, covers: [] });
}

let numIds = 0;
const maker: Maker = { newId: () => `id${++numIds}`, at: () => "2026-01-02T03:04:05.250Z", order: () => ++numIds, actor: "ann" };

test("tags count to the microsecond", () => {
  expect(microsecondsOf("2026-01-02T03:04:05.678901+00:00") - microsecondsOf("2026-01-02T03:04:05+00:00")).toBe(678901);
  expect(microsecondsOf("2026-01-02T03:04:05.5+00:00") % 1_000_000).toBe(500000);
  expect(tagOf(0, null)).toBe("0-0");
});

test("an answer that is older than what is known changes nothing", () => {
  const old = recordWith("a");
  const state = opened(old);
  const entries = planEach(state, maker, "accept", ["a"], { kind: "Accept" });
  const acting = reduce(state, { type: "entries-added", entries, kind: { name: "do" } });
  const event = { kind: "ReviewEvent", id: "e1", record_id: "a", actor: "ann", at: "2026-01-02T03:04:06+00:00", action: { kind: "Accept" } } as const;
  const answer: EditedOut = { moment: 1, items: [{ position: 1, moment: 1, event }], etags: { a: resolve(old.record, [event]).etag } };
  const done = reduce(acting, { type: "entry-edited", key: entries[0]?.key ?? "", answer });

  const after = reduce(done, { type: "records-told", frame: FRAME.id, items: [old], covers: [] });

  expect(after.masks.get("a")).toMatchObject({ etag: answer.etags["a"], view: { status: "accepted" }, behind: [] });
});

test("masks that waited to be saved stay in sight when the frame is read again", () => {
  const state = opened(recordWith("a"));
  const record = drawnRecord(FRAME, maker, SMALL ?? never(), "lid", []);
  const acting = reduce(state, { type: "entries-added", entries: [planSave(state, maker, "commit", [record], "g")], kind: { name: "do" } });

  const after = reduce(acting, { type: "records-told", frame: FRAME.id, items: [recordWith("a")], covers: [] });

  expect([...after.masks.keys()]).toEqual(["a", record.id]);
  expect(after.masks.get(record.id)).toMatchObject({ isUnsaved: true, view: { record: { label: "lid", area: 4 } } });
  expect(reduce(after, { type: "frame-opened", frame: OTHER_FRAME }).masks.size).toBe(0);
  expect([...reduce(reduce(after, { type: "frame-opened", frame: OTHER_FRAME }), { type: "frame-opened", frame: FRAME }).masks.keys()]).toEqual([record.id]);
});

test("tool, filter and look stay from frame to frame, selection and hand do not", () => {
  let state = opened(recordWith("a"));
  state = reduce(state, { type: "tool-chosen", tool: "brush" });
  state = reduce(state, { type: "filter-changed", filter: { text: "cup" } });
  state = reduce(state, { type: "selected", ids: ["a"], how: "only" });

  const next = reduce(state, { type: "frame-opened", frame: OTHER_FRAME });

  expect(next).toMatchObject({ tool: "brush", filter: { text: "cup" }, selection: [], hand: null });
});

test("the list is filtered and ordered, uncertain first", () => {
  const scored = (id: string, predicted_iou: number | null, label: string | null) =>
    recordWith(id, { label, scores: { kind: "Scores", predicted_iou, stability: null, agreement: null } });
  const state = opened(scored("a", 0.9, "cup"), scored("b", 0.6, null), scored("c", null, "lid"));
  const shown = (filter: Partial<State["filter"]>, sort: State["sort"] = "put") =>
    visibleMasks({ ...state, filter: { ...NO_FILTER, ...filter }, sort }).map(({ view }) => view.record.id);

  expect(shown({}, "uncertain")).toEqual(["c", "b", "a"]);
  expect(shown({}, "label")).toEqual(["a", "c", "b"]);
  expect(shown({ labels: [null, "lid"] })).toEqual(["b", "c"]);
  expect(shown({ minScore: 0.7 })).toEqual(["a"]);
  expect(shown({ statuses: ["rejected"] })).toEqual([]);
  expect(shown({ text: "CU" })).toEqual(["a"]);
  expect(visibleMasks(state)).toBe(visibleMasks(state));
});

test("the next unreviewed goes round, and comes to what was skipped last", () => {
  let state = opened(recordWith("a"), recordWith("b"), recordWith("c"));
  state = reduce(state, { type: "selected", ids: ["b"], how: "only" });
  expect(nextUnreviewed(state)).toBe("c");
  state = reduce(state, { type: "skipped", ids: ["c"] });
  expect(nextUnreviewed(state)).toBe("a");
  state = reduce(state, { type: "skipped", ids: ["a"] });
  expect(nextUnreviewed(state)).toBe("c");
  expect([neighbour(state, 1), neighbour(state, -1)]).toEqual(["c", "a"]);
  expect(nextUnreviewed(opened())).toBeNull();
});

test("labels are offered from the set, then the last used, then the frame", () => {
  let state = opened(recordWith("a", { label: "mug" }), recordWith("b", { label: "cup" }));
  state = reduce(state, { type: "labels-told", labels: ["lid", "cup"] });
  state = reduce(state, { type: "recent-labels-told", labels: ["tray", "lid"] });

  expect(labelChoices(state)).toEqual(["lid", "cup", "tray", "mug"]);
  expect(completions(state, "u")).toEqual(["cup", "mug"]);
  expect(completions(state, "C")).toEqual(["cup"]);
  expect(facetsOf(state).labels.get("mug")).toBe(1);
});

test("masks that did not change are the same objects on the canvas", () => {
  const scene = sceneMasks();
  let state = opened(recordWith("a"), recordWith("b"));
  expect(undecoded(state).length).toBe(2);
  const patch = boxPatch(FRAME.size_hw, [1, 1, 3, 3]);
  const counts = SMALL?.counts ?? "";
  state = reduce(state, { type: "patches-made", items: [{ id: "a", counts, patch }, { id: "b", counts, patch }] });
  const first = scene(state);
  expect(undecoded(state)).toEqual([]);

  expect(scene({ ...state, brushRadius: 3 })).toBe(first);
  const second = scene(reduce(state, { type: "selected", ids: ["b"], how: "only" }));

  expect(second[0]).toBe(first[0]);
  expect(second[1]).toMatchObject({ id: "b", isSelected: true });
  const look = sceneLook();
  expect(look(state)).toBe(look({ ...state, look: { ...state.look, panel: "history" } }));
});

// Any event at any time: nothing throws, what was before stays as it was, and the counts agree with the masks.
test("any sequence of events gives a state that hangs together", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const chance = chanceOf(seed);
    let state = opened(recordWith("a"), recordWith("b"), recordWith("c"));
    for (let i = 0; i < 40; i++) {
      const before = state;
      const keys = Object.keys(before);
      const copy = { ...before };
      state = reduce(state, eventOf(chance, state));
      expect(before).toEqual(copy);
      expect(Object.keys(state)).toEqual(keys);
      check(state, seed);
    }
  }
});

function check(state: State, seed: number): void {
  const total = Object.values(countsOf(state)).reduce((sum, one) => sum + one, 0);
  expect(total, `seed ${seed}`).toBe(state.masks.size);
  for (const id of state.selection) expect(state.masks.has(id), `seed ${seed}`).toBe(true);
  for (const [id, mask] of state.masks) expect([mask.view.record.id, mask.view.etag]).toEqual([id, mask.etag]);
  const orders = state.outbox.waiting.map((one) => one.order);
  expect(orders).toEqual([...orders].sort((a, b) => a - b));
  expect(new Set(state.outbox.waiting.map((one) => one.key)).size).toBe(orders.length);
  expect(syncState(state).kind).not.toBe("");
}

function eventOf(chance: Chance, state: State): StateEvent {
  const ids = [...state.masks.keys()];
  const id = ids.length > 0 ? pick(chance, ids) : "a";
  const other = ids.find((one) => one !== id) ?? "b";
  const key = pick(chance, [...state.outbox.waiting.map((one) => one.key), "unknown"]);
  const heldKey = pick(chance, [...state.outbox.held.map((one) => one.entry.key), "unknown"]);
  const plain = [
    { type: "selected", ids: [id, "nowhere"], how: pick(chance, ["only", "add", "toggle"] as const) },
    { type: "record-told", record: recordWith(id, { label: pick(chance, ["x", null]) }), covers: [] },
    { type: "records-told", frame: pick(chance, ["frame-0", "elsewhere"]), items: [recordWith("a"), recordWith("new")], covers: [] },
    { type: "frame-opened", frame: pick(chance, [FRAME, FRAME, FRAME, OTHER_FRAME]) },
    { type: "entry-refused", key, problem: { kind: "refused", status: 422, code: "", message: "" } },
    { type: "entry-tried", key },
    { type: "entry-saved", key, answer: { moment: 1, items: [] } },
    { type: "entry-edited", key, answer: { moment: 1, items: [], etags: { [id]: "9-1" } } },
    { type: "entry-conflicted", key, theirs: { [id]: { ...recordWith(id), num_events: 3, etag: "3-1", status: "rejected" } } },
    { type: "held-settled", key: heldKey, choice: pick(chance, ["keep", "let_go"] as const) },
    { type: "log-followed", logged: { position: 1, moment: 1, event: { kind: "ReviewEvent", id: `e${chance()}`, record_id: id, actor: "bob", at: "2026-01-02T03:04:05+00:00", action: { kind: "Accept" } } } },
    { type: "hand-taken", hand: takeHand("click", { id: "h", frame: "frame-0", base: id, label: null }, FRAME.size_hw) },
    { type: "hand-drawn", draft: newDraft(FRAME.size_hw) },
    { type: "hand-undone" },
    { type: "hand-redone" },
    { type: "hand-dropped" },
    { type: "hand-answered", hand: "h", question: 1, candidates: [] },
    { type: "tool-chosen", tool: pick(chance, ["brush", "polygon", "click"] as const) },
    { type: "skipped", ids: [id] },
    { type: "filter-changed", filter: { statuses: ["proposed"] } },
  ] as const satisfies readonly StateEvent[];
  const entries = [
    () => planEach(state, maker, "accept", ids, { kind: "Accept" }),
    () => planEach(state, maker, "relabel", [id], { kind: "Relabel", label: "y" }),
    () => planMerge(state, maker, id, [other], LARGE ?? never()),
    () => planSplit(state, maker, id, [LARGE ?? never(), SMALL ?? never()]),
  ];
  if (chance() < 0.4 && ids.length > 0) return { type: "entries-added", entries: pick(chance, entries)(), kind: { name: "do" } };
  return pick<StateEvent>(chance, plain);
}

function never(): never {
  throw new Error("cannot be");
}
