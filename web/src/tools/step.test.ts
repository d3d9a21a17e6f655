import { describe, expect, test } from "vitest";
import { imagePoint, type BoxXyxy, type ImagePoint, type SizeHw } from "../geometry/coords";
import { numVertices } from "../geometry/rings";
import type { Intent, Phase } from "../input/intent";
import { area, boxPatch, contains, difference, isSame, union } from "../masks/algebra";
import { canRedo, canUndo, isUntouched, newDraft, redo, undo, type Candidate, type Draft, type Effect } from "./draft";
import { answered, cycle, failed, previewQuestion } from "./prompting";
import { enterTool, stepTool } from "./step";
import type { Tool } from "./tool";

const SIZE: SizeHw = [100, 120];
const at = imagePoint;
const boxed = (...box: BoxXyxy) => boxPatch(SIZE, box);
const candidate = (...box: BoxXyxy): Candidate => ({ patch: boxed(...box), score: 0.9 });

const click = (x: number, y: number, positive = true, isQueued = false): Intent => ({ kind: "click", at: at(x, y), positive, isQueued });
const strokeOf = (isErasing: boolean, ...points: readonly ImagePoint[]): Intent[] => phases(points, (phase, to) => ({ kind: "stroke", phase, at: to, radius: 3, isErasing }));
const pathOf = (isNegative: boolean, ...points: readonly ImagePoint[]): Intent[] => phases(points, (phase, to) => ({ kind: "path", phase, at: to, isNegative }));
const ringOfVertices = (isNegative: boolean, ...points: readonly ImagePoint[]): Intent[] => [...points.map((to): Intent => ({ kind: "vertex", at: to, isNegative })), { kind: "closeRing" }];

function phases(points: readonly ImagePoint[], intent: (phase: Phase, to: ImagePoint) => Intent): Intent[] {
  const last = points.length - 1;
  const moves = points.map((to, i) => intent(i === 0 ? "start" : i === last ? "end" : "move", to));
  return points.length === 1 ? [...moves, intent("end", points[0] ?? at(0, 0))] : moves;
}

type Played = { readonly draft: Draft; readonly effects: readonly Effect[] };

function play(tool: Tool, draft: Draft, ...intents: readonly Intent[]): Played {
  const effects: Effect[] = [];
  let next = draft;
  for (const intent of intents) {
    const step = stepTool(tool, next, intent);
    next = step.draft;
    effects.push(...step.effects);
  }
  return { draft: next, effects };
}

const square = (x: number, y: number, side: number): ImagePoint[] => [at(x, y), at(x + side, y), at(x + side, y + side), at(x, y + side)];

describe("clicks", () => {
  test("a click asks for a mask, and the best candidate is taken in hand", () => {
    const { draft, effects } = play("click", newDraft(SIZE), click(20, 20));
    expect(effects).toEqual([{ kind: "segment", id: 1, prompts: { points: [{ at: at(20, 20), positive: true }], box: null }, base: null }]);

    const next = answered(draft, 1, [candidate(10, 10, 40, 40), candidate(0, 0, 60, 60)]);

    expect(area(next.work.patch)).toBe(900);
    expect(next.asked).toBeNull();
  });

  test("queued clicks ask once, when the queue runs", () => {
    const { effects } = play("click", newDraft(SIZE), click(1, 1, true, true), click(2, 2, false, true), { kind: "runQueue" });

    expect(effects).toHaveLength(1);
    expect(effects[0]).toMatchObject({ prompts: { points: [{ positive: true }, { positive: false }] } });
  });

  test("an answer that another click overtook is dropped", () => {
    const { draft } = play("click", newDraft(SIZE), click(1, 1), click(2, 2));

    expect(answered(draft, 1, [candidate(0, 0, 9, 9)])).toBe(draft);
    expect(area(answered(draft, 2, [candidate(0, 0, 9, 9)]).work.patch)).toBe(81);
  });

  test("a question that failed keeps its clicks, and the queue asks again", () => {
    const { draft } = play("click", newDraft(SIZE), click(5, 5));

    const { effects } = play("click", failed(draft, 1), { kind: "runQueue" });

    expect(effects).toMatchObject([{ kind: "segment", id: 2, prompts: { points: [{ at: at(5, 5) }] } }]);
  });

  test("cycling goes round the candidates both ways", () => {
    const { draft } = play("click", newDraft(SIZE), click(20, 20));
    const three = answered(draft, 1, [candidate(0, 0, 1, 1), candidate(0, 0, 2, 2), candidate(0, 0, 3, 3)]);

    expect([1, 2, 3].map((n) => Array.from({ length: n }).reduce<Draft>((d) => cycle(d, 1), three).work.chosen)).toEqual([1, 2, 0]);
    expect(area(cycle(three, -1).work.patch)).toBe(9);
  });

  test("the next click corrects a candidate that was chosen over the best", () => {
    const { draft } = play("click", newDraft(SIZE), click(20, 20));
    const chosen = cycle(answered(draft, 1, [candidate(0, 0, 1, 1), candidate(0, 0, 20, 20)]), 1);

    const { effects } = play("click", chosen, click(3, 3));

    expect(effects).toMatchObject([{ base: chosen.work.patch, prompts: { points: [{ at: at(3, 3) }] } }]);
  });

  test("a box forgets the clicks before it", () => {
    const { draft } = play("click", newDraft(SIZE), click(20, 20));

    const { effects } = play("box", draft, { kind: "box", box: [1, 2, 30, 40], isQueued: false }, click(9, 9, false));

    expect(effects.at(-1)).toMatchObject({ prompts: { box: [1, 2, 30, 40], points: [{ positive: false }] } });
  });

  test("clicks on a mask that a hand changed correct that mask", () => {
    const { draft } = play("brush", newDraft(SIZE), ...strokeOf(false, at(20, 20), at(40, 20)));

    const { effects } = play("click", draft, click(30, 30));

    expect(effects).toMatchObject([{ base: draft.work.patch }]);
  });

  test("a preview asks what the click would, and changes nothing", () => {
    const { draft } = play("click", newDraft(SIZE), click(20, 20));

    expect(previewQuestion(draft, at(7, 7), true).prompts.points).toHaveLength(2);
    expect(draft.work.prompts.points).toHaveLength(1);
  });
});

describe("brush, eraser, lasso", () => {
  test("a stroke joins the mask when the button comes up, and shows by itself until then", () => {
    const start = newDraft(SIZE, boxed(10, 10, 30, 30));
    const under = play("brush", start, ...strokeOf(false, at(50, 50), at(60, 50), at(70, 50)).slice(0, 2)).draft;
    expect(under.work.patch).toBe(start.work.patch);
    expect(under.gesture?.kind === "stroke" && contains(under.gesture.patch, at(55, 50))).toBe(true);

    const { draft } = play("brush", start, ...strokeOf(false, at(50, 50), at(60, 50), at(70, 50)));

    expect(contains(draft.work.patch, at(65, 51))).toBe(true);
    expect(contains(draft.work.patch, at(20, 20))).toBe(true);
  });

  test("the eraser takes away, and undo is one stroke", () => {
    const start = newDraft(SIZE, boxed(10, 10, 30, 30));
    const one = play("eraser", start, ...strokeOf(true, at(10, 12), at(30, 12))).draft;
    const two = play("eraser", one, ...strokeOf(true, at(10, 25), at(30, 25))).draft;

    expect(isSame(undo(two).work.patch, one.work.patch)).toBe(true);
    expect(undo(undo(two)).work.patch).toBe(start.work.patch);
    expect(isSame(redo(redo(undo(undo(two)))).work.patch, two.work.patch)).toBe(true);
  });

  test("a stroke that changes no pixel is no unit", () => {
    const start = newDraft(SIZE, boxed(10, 10, 50, 50));

    expect(isUntouched(play("brush", start, ...strokeOf(false, at(30, 30))).draft)).toBe(true);
  });

  test("a stroke that is given up leaves the mask as it was", () => {
    const start = newDraft(SIZE);

    const { draft } = play("brush", start, ...strokeOf(false, at(9, 9), at(20, 9)).slice(0, 1), { kind: "abandon" });

    expect(draft).toEqual(start);
  });

  test("a lasso adds what it goes round, and takes it away with the other button", () => {
    const added = play("lasso", newDraft(SIZE), ...pathOf(false, ...square(10, 10, 20))).draft;
    expect(area(added.work.patch)).toBe(400);

    const taken = play("lasso", added, ...pathOf(true, ...square(10, 10, 10))).draft;

    expect(area(taken.work.patch)).toBe(300);
  });
});

describe("polygons", () => {
  const polygon = (draft: Draft, ...intents: readonly Intent[]): Draft => play("polygon", enterTool("polygon", draft), ...intents).draft;

  test("a ring becomes the mask, one inside it a hole, one inside that an island", () => {
    const outer = polygon(newDraft(SIZE), ...ringOfVertices(false, ...square(10, 10, 60)));
    const hole = polygon(outer, ...ringOfVertices(false, ...square(20, 20, 40)));
    const island = polygon(hole, ...ringOfVertices(false, ...square(30, 30, 10)));

    expect([outer, hole, island].map(({ work }) => area(work.patch))).toEqual([3600, 2000, 2100]);
    expect(island.work.rings).toHaveLength(3);
  });

  test("a ring across the outline adds, or takes away if it was begun so", () => {
    const start = newDraft(SIZE, boxed(10, 10, 50, 50));

    const added = polygon(start, ...ringOfVertices(false, ...square(40, 40, 30)));
    const taken = polygon(start, ...ringOfVertices(true, ...square(40, 40, 30)));

    expect([area(added.work.patch), area(taken.work.patch)]).toEqual([1600 + 900 - 100, 1500]);
  });

  test("moving a vertex changes the pixels between the outlines and no others", () => {
    const speckled = difference(union(boxed(10, 10, 60, 60), boxed(80, 80, 81, 81)), boxed(12, 12, 13, 13));
    const start = enterTool("polygon", newDraft(SIZE, speckled));
    const rings = start.work.rings ?? [];
    const index = nearest(rings[0] ?? new Float64Array(), 60, 60);
    const vertex = { ring: 0, index };

    const moved = polygon(start, { kind: "moveVertex", phase: "start", vertex, to: at(60, 60) }, { kind: "moveVertex", phase: "end", vertex, to: at(75, 75) });

    expect(contains(moved.work.patch, at(66, 66))).toBe(true);
    expect(contains(moved.work.patch, at(12, 12))).toBe(false);
    expect(contains(moved.work.patch, at(80, 80))).toBe(true);
    expect(undo(moved).work.patch).toBe(speckled);
  });

  test("a vertex put on an edge and dragged is one unit", () => {
    const start = polygon(newDraft(SIZE), ...ringOfVertices(false, ...square(10, 10, 40)));
    const vertex = { ring: 0, index: 1 };

    const pulled = polygon(
      start,
      { kind: "insertVertex", vertex, at: at(30, 10) },
      { kind: "moveVertex", phase: "start", vertex, to: at(30, 10) },
      { kind: "moveVertex", phase: "end", vertex, to: at(30, 0) },
    );

    expect(area(pulled.work.patch)).toBe(1600 + 200);
    expect(numVertices(pulled.work.rings?.[0] ?? new Float64Array())).toBe(5);
    expect(pulled.past).toHaveLength(start.past.length + 1);
  });

  test("a vertex that is let go where it was is no unit", () => {
    const start = polygon(newDraft(SIZE), ...ringOfVertices(false, ...square(10, 10, 40)));
    const vertex = { ring: 0, index: 0 };

    const same = polygon(start, { kind: "moveVertex", phase: "start", vertex, to: at(11, 11) }, { kind: "moveVertex", phase: "end", vertex, to: at(10, 10) });

    expect(same.past).toHaveLength(start.past.length);
    expect(same.gesture).toBeNull();
  });

  test("a triangle that loses a vertex goes, and a hole is filled", () => {
    const outer = polygon(newDraft(SIZE), ...ringOfVertices(false, ...square(10, 10, 60)));
    const holed = polygon(outer, ...ringOfVertices(false, at(20, 20), at(40, 20), at(20, 40)));
    expect(area(holed.work.patch)).toBeLessThan(3600);

    const filled = polygon(holed, { kind: "deleteVertex", vertex: { ring: 1, index: 0 } });

    expect(area(filled.work.patch)).toBe(3600);
  });

  test("undo takes back the last vertex of a ring that is being drawn", () => {
    const drawing = polygon(newDraft(SIZE), ...ringOfVertices(false, ...square(10, 10, 60)).slice(0, 3));

    const back = undo(drawing);

    expect(back.gesture?.kind === "ring" && back.gesture.points).toHaveLength(2);
    expect(undo(undo(back)).gesture).toBeNull();
  });

  test("two points are no ring", () => {
    const { draft } = play("polygon", newDraft(SIZE), ...ringOfVertices(false, at(1, 1), at(5, 5)));

    expect(isUntouched(draft)).toBe(true);
  });

  test("leaving the tool gives up the ring under way", () => {
    const { draft } = play("polygon", newDraft(SIZE), { kind: "vertex", at: at(1, 1), isNegative: false });

    expect(enterTool("brush", draft).gesture).toBeNull();
  });
});

describe("cut", () => {
  test("a line across keeps the larger part in hand and makes a mask of the other", () => {
    const start = newDraft(SIZE, boxed(10, 10, 50, 30));

    const { draft, effects } = play("cut", start, ...pathOf(false, at(40, 0), at(40, 60)));

    expect(area(draft.work.patch)).toBe(600);
    expect([effects, draft.work.pieces?.map(area)]).toEqual([[], [200]]);
    expect(area(undo(draft).work.patch)).toBe(800);
  });

  test("a line that does not go through cuts nothing", () => {
    const start = newDraft(SIZE, boxed(10, 10, 50, 30));

    const { draft, effects } = play("cut", start, ...pathOf(false, at(40, 0), at(40, 20)));

    expect(effects).toEqual([]);
    expect(isUntouched(draft)).toBe(true);
  });
});

describe("undo", () => {
  test("a click and its answer are one unit, and an answer after undo comes too late", () => {
    const { draft } = play("click", newDraft(SIZE), click(5, 5));

    const back = undo(draft);

    expect(answered(back, 1, [candidate(0, 0, 9, 9)])).toBe(back);
    expect(back.work.prompts.points).toEqual([]);
  });

  test("clicks that ran together are undone together, those that still wait one by one", () => {
    const queued = play("click", newDraft(SIZE), click(1, 1, true, true), click(2, 2, true, true)).draft;
    expect(undo(queued).work.prompts.points).toHaveLength(1);

    const run = play("click", queued, { kind: "runQueue" }).draft;
    const done = answered(run, 1, [candidate(0, 0, 9, 9)]);

    expect(undo(done).work.prompts.points).toEqual([]);
    expect(area(redo(undo(done)).work.patch)).toBe(81);
  });

  test("a new unit ends what could be redone", () => {
    const one = play("brush", newDraft(SIZE), ...strokeOf(false, at(10, 10))).draft;
    const other = play("brush", undo(one), ...strokeOf(false, at(50, 50))).draft;

    expect([canUndo(other), canRedo(other)]).toEqual([true, false]);
  });

  test("there is nothing before the mask was taken in hand", () => {
    const start = newDraft(SIZE, boxed(1, 1, 5, 5));

    expect(undo(start)).toEqual(start);
    expect(redo(start)).toEqual(start);
  });
});

function nearest(ring: Float64Array, x: number, y: number): number {
  let best = 0;
  for (let i = 1; i < numVertices(ring); i++) {
    const away = (k: number): number => Math.hypot((ring[2 * k] ?? 0) - x, (ring[2 * k + 1] ?? 0) - y);
    if (away(i) < away(best)) best = i;
  }
  return best;
}
