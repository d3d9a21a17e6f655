import { describe, expect, test } from "vitest";
import { imagePoint, screenPoint } from "../geometry/coords";
import { ringOf } from "../geometry/rings";
import type { Tool } from "../tools/tool";
import { newView } from "../view/view";
import { NO_MODIFIERS, POINTER_KEYS, type Device, type InputEvent, type Modifiers } from "./event";
import type { Intent, ViewMove } from "./intent";
import { inputStep } from "./machine";
import { INPUT_IDLE, type InputContext, type InputState } from "./state";

// The image lies on the screen one to one, so that both kinds of pixels have the same numbers.
const view = { ...newView([600, 800], [600, 800], 1), scale: 1, offset: screenPoint(0, 0) };
const square = ringOf([imagePoint(100, 100), imagePoint(200, 100), imagePoint(200, 200), imagePoint(100, 200)]);

const context = (tool: Tool, more: Partial<InputContext> = {}): InputContext => ({
  view,
  tool,
  radius: 10,
  keys: POINTER_KEYS,
  rings: [],
  openRing: null,
  isNegative: false,
  ...more,
});

const held = (...names: readonly (keyof Modifiers)[]): Modifiers => ({
  ...NO_MODIFIERS,
  ...Object.fromEntries(names.map((name) => [name, true])),
});

type Press = { button?: number; device?: Device; pointer?: number; held?: Modifiers; time?: number };

const down = (x: number, y: number, press: Press = {}): InputEvent => ({
  kind: "down",
  pointer: press.pointer ?? 1,
  device: press.device ?? "mouse",
  at: screenPoint(x, y),
  button: press.button ?? 0,
  held: press.held ?? NO_MODIFIERS,
  time: press.time ?? 0,
});
const move = (x: number, y: number, pointer = 1, keys = NO_MODIFIERS): InputEvent => ({ kind: "move", pointer, at: screenPoint(x, y), held: keys });
const up = (x: number, y: number, pointer = 1, keys = NO_MODIFIERS): InputEvent => ({ kind: "up", pointer, at: screenPoint(x, y), held: keys });
const wheel = (delta: number, keys = NO_MODIFIERS): InputEvent => ({ kind: "wheel", at: screenPoint(50, 60), delta, held: keys });

type Played = { readonly state: InputState; readonly intents: readonly Intent[]; readonly moves: readonly ViewMove[] };

function play(to: InputContext, ...events: readonly InputEvent[]): Played {
  let state = INPUT_IDLE;
  const intents: Intent[] = [];
  const moves: ViewMove[] = [];
  for (const event of events) {
    const next = inputStep(state, event, to);
    state = next.state;
    intents.push(...next.intents.filter(({ kind }) => kind !== "hover"));
    moves.push(...next.moves);
  }
  return { state, intents, moves };
}

describe("clicks", () => {
  test("the left button adds and the right one takes away", () => {
    const { intents } = play(context("click"), down(10, 20), up(10, 20), down(30, 40, { button: 2, time: 900 }), up(30, 40));

    expect(intents).toEqual([
      { kind: "click", at: imagePoint(10, 20), positive: true, isQueued: false },
      { kind: "click", at: imagePoint(30, 40), positive: false, isQueued: false },
    ]);
  });

  test("Alt makes the left button take away, and so does the switch for hands without a right one", () => {
    const byKey = play(context("click"), down(1, 1, { held: held("Alt") }));
    const bySwitch = play(context("click", { isNegative: true }), down(1, 1));

    expect([byKey, bySwitch].map(({ intents }) => intents[0])).toMatchObject([{ positive: false }, { positive: false }]);
  });

  test("clicks with the queue key held wait, and run once when it is let go", () => {
    const queue = { held: held("Control") };

    const { intents } = play(
      context("click"),
      { kind: "keyDown", key: "Control" },
      down(10, 10, queue),
      up(10, 10),
      down(60, 10, queue),
      up(60, 10),
      { kind: "keyUp", key: "Control" },
      { kind: "keyUp", key: "Control" },
    );

    expect(intents.map((intent) => (intent.kind === "click" ? intent.isQueued : intent.kind))).toEqual([true, true, "runQueue"]);
  });

  test("a queue whose key was let go in another window runs at the next move", () => {
    const { intents, state } = play(context("click"), down(10, 10, { held: held("Control") }), up(10, 10), move(11, 10));

    expect(intents.at(-1)).toEqual({ kind: "runQueue" });
    expect(state.hasQueue).toBe(false);
  });

  test("a queue runs when the window loses the focus", () => {
    const { intents } = play(context("click"), down(10, 10, { held: held("Control") }), { kind: "blur" });

    expect(intents.at(-1)).toEqual({ kind: "runQueue" });
  });

  test("a double click is one point", () => {
    expect(play(context("click"), down(9, 9), up(9, 9), down(10, 9, { time: 120 }), up(10, 9)).intents).toHaveLength(1);
  });

  test("a click beside the image is none", () => {
    expect(play(context("click", { view: { ...view, offset: screenPoint(100, 0) } }), down(50, 50)).intents).toEqual([]);
  });
});

describe("boxes", () => {
  test("a drag is a box, whichever way it goes, and shows while it is drawn", () => {
    const { intents } = play(context("box"), down(90, 80), move(20, 30), up(10, 20));

    expect(intents).toEqual([
      { kind: "boxing", box: [20, 30, 90, 80] },
      { kind: "box", box: [10, 20, 90, 80], isQueued: false },
    ]);
  });

  test("a box ends at the image's border", () => {
    expect(play(context("box"), down(700, 500), up(9000, 9000)).intents).toMatchObject([{ box: [700, 500, 800, 600] }]);
  });

  test("a press that stays in place is a click", () => {
    const { intents } = play(context("box"), down(50, 50, { button: 2 }), move(51, 50), up(51, 50));

    expect(intents.at(-1)).toMatchObject({ kind: "click", positive: false });
    expect(intents.at(-2)).toEqual({ kind: "abandon" });
  });

  test("Escape gives up the box under way", () => {
    const { intents } = play(context("box"), down(10, 10), move(50, 50), { kind: "keyDown", key: "Escape" }, up(90, 90));

    expect(intents.map(({ kind }) => kind)).toEqual(["boxing", "abandon"]);
  });
});

describe("strokes and paths", () => {
  test("a stroke starts, moves and ends; the right button erases", () => {
    const { intents } = play(context("brush"), down(10, 10, { button: 2 }), move(20, 10), up(20, 10));

    expect(intents.map((intent) => (intent.kind === "stroke" ? [intent.phase, intent.isErasing] : null))).toEqual([
      ["start", true],
      ["move", true],
      ["end", true],
    ]);
  });

  test("the eraser erases, and paints with the right button", () => {
    const erased = play(context("eraser"), down(10, 10));
    const painted = play(context("eraser"), down(10, 10, { button: 2 }));

    expect([erased.intents[0], painted.intents[0]]).toMatchObject([{ isErasing: true }, { isErasing: false }]);
  });

  test("a stroke whose pointer is lost is given up", () => {
    expect(play(context("brush"), down(10, 10), { kind: "lost", pointer: 1 }).intents.at(-1)).toEqual({ kind: "abandon" });
  });

  test("Shift and the wheel change the brush's size, and the view stays", () => {
    const { intents, moves } = play(context("brush"), wheel(-100, held("Shift")));

    expect(moves).toEqual([]);
    expect(intents[0]?.kind === "brushSize" && intents[0].radius).toBeGreaterThan(10);
  });

  test("a lasso follows the pointer", () => {
    expect(play(context("lasso"), down(1, 2), move(3, 4), up(5, 6)).intents).toMatchObject([
      { kind: "path", phase: "start", at: { x: 1, y: 2 } },
      { kind: "path", phase: "move", at: { x: 3, y: 4 } },
      { kind: "path", phase: "end", at: { x: 5, y: 6 } },
    ]);
  });
});

describe("the view", () => {
  test("the wheel zooms where the pointer is", () => {
    const { moves } = play(context("click"), wheel(-120));

    expect(moves).toMatchObject([{ kind: "zoom", at: { x: 50, y: 60 } }]);
    expect(moves[0]?.kind === "zoom" && moves[0].factor).toBeGreaterThan(1);
  });

  test("the middle button pans with any tool", () => {
    const { moves, intents } = play(context("brush"), down(10, 10, { button: 1 }), move(30, 15), up(30, 15));

    expect(moves).toEqual([{ kind: "pan", x: 20, y: 5 }]);
    expect(intents).toEqual([]);
  });

  test("the left button pans while space is held, and draws again afterwards", () => {
    const space = (isDown: boolean): InputEvent => ({ kind: isDown ? "keyDown" : "keyUp", key: " " });

    const { moves, intents } = play(context("click"), space(true), down(0, 0), move(7, 8), up(7, 8), space(false), down(50, 50));

    expect(moves).toEqual([{ kind: "pan", x: 7, y: 8 }]);
    expect(intents).toHaveLength(1);
  });

  test("space by itself is a tap, and none when something was panned", () => {
    const space = (isDown: boolean): InputEvent => ({ kind: isDown ? "keyDown" : "keyUp", key: " " });

    const tapped = play(context("click"), space(true), space(true), space(false));
    const panned = play(context("click"), space(true), down(0, 0), move(7, 8), space(true), up(7, 8), space(false));

    expect([tapped.intents, panned.intents]).toEqual([[{ kind: "tap" }], []]);
  });

  test("another key that pans is no tap, whatever it was held for", () => {
    const shift = context("brush", { keys: { ...POINTER_KEYS, pan: ["shift", "h"] } });

    const { intents } = play(shift, { kind: "keyDown", key: "Shift" }, { kind: "keyUp", key: "Shift" });
    const moved = play(shift, { kind: "keyDown", key: "H" }, down(10, 10), move(20, 10), up(20, 10));

    expect(intents).toEqual([]);
    expect(moved.moves).toEqual([{ kind: "pan", x: 10, y: 0 }]);
  });

  test("with the move tool a drag pans and a press picks a mask", () => {
    const { moves, intents } = play(context("move"), down(10, 10), move(40, 10), up(40, 10), down(5, 5), up(5, 5, 1, held("Shift")));

    expect(moves).toEqual([{ kind: "pan", x: 30, y: 0 }]);
    expect(intents).toEqual([{ kind: "pick", at: imagePoint(5, 5), isAdded: true }]);
  });

  test("two fingers zoom and pan, and what the first one began is given up", () => {
    const touch = (pointer: number): Press => ({ device: "touch", pointer });

    const { moves, intents } = play(context("brush"), down(100, 100, touch(1)), down(200, 100, touch(2)), move(300, 100, 2), up(300, 100, 2), move(120, 100, 1));

    expect(intents.map(({ kind }) => kind)).toEqual(["stroke", "abandon"]);
    expect(moves).toMatchObject([
      { kind: "pan", x: 50, y: 0 },
      { kind: "zoom", factor: 2, at: { x: 200, y: 100 } },
      { kind: "pan", x: 20, y: 0 },
    ]);
  });

  test("a finger clicks when it is lifted", () => {
    const press = play(context("click"), down(10, 10, { device: "touch" }));
    expect(press.intents).toEqual([]);

    const lifted = play(context("click"), down(10, 10, { device: "touch" }), up(11, 10));

    expect(lifted.intents).toMatchObject([{ kind: "click" }]);
  });
});

describe("polygons", () => {
  const open = [imagePoint(10, 10), imagePoint(60, 10), imagePoint(60, 60)];

  test("presses put vertices", () => {
    expect(play(context("polygon"), down(10, 10), up(10, 10)).intents).toEqual([{ kind: "vertex", at: imagePoint(10, 10), isNegative: false }]);
  });

  test("Enter, a double click and the first vertex close the ring", () => {
    const drawing = context("polygon", { openRing: open });
    const byKey = play(drawing, { kind: "keyDown", key: "Enter" });
    const byDouble = play(drawing, down(90, 90), up(90, 90), down(90, 90, { time: 200 }));
    const byFirst = play(drawing, down(12, 11));

    expect([byKey, byDouble, byFirst].map(({ intents }) => intents.at(-1)?.kind)).toEqual(["closeRing", "closeRing", "closeRing"]);
  });

  test("Backspace takes the last vertex back, and is left to the page when no ring is open", () => {
    const drop: InputEvent = { kind: "keyDown", key: "Backspace" };

    expect(play(context("polygon", { openRing: open }), drop).intents).toEqual([{ kind: "dropVertex" }]);
    expect(inputStep(INPUT_IDLE, drop, context("polygon")).isHandled).toBe(false);
  });

  test("a vertex is dragged", () => {
    const { intents } = play(context("polygon", { rings: [square] }), down(201, 99), move(230, 90), up(240, 80));

    expect(intents).toMatchObject([
      { kind: "moveVertex", phase: "start", vertex: { ring: 0, index: 1 } },
      { kind: "moveVertex", phase: "move", to: { x: 230, y: 90 } },
      { kind: "moveVertex", phase: "end", to: { x: 240, y: 80 } },
    ]);
  });

  test("a press on an edge puts a vertex there and takes hold of it", () => {
    const { intents } = play(context("polygon", { rings: [square] }), down(150, 103), move(150, 80));

    expect(intents.slice(0, 2)).toMatchObject([
      { kind: "insertVertex", vertex: { ring: 0, index: 1 }, at: { x: 150, y: 100 } },
      { kind: "moveVertex", phase: "start", vertex: { ring: 0, index: 1 } },
    ]);
  });

  test("the right button or a double click deletes a vertex", () => {
    const rings = context("polygon", { rings: [square] });
    const byRight = play(rings, down(100, 200, { button: 2 }));
    const byDouble = play(rings, down(100, 200), up(100, 200), down(100, 200, { time: 150 }));

    const deleted = { kind: "deleteVertex", vertex: { ring: 0, index: 3 } };
    expect([byRight.intents.at(-1), byDouble.intents.at(-1)]).toEqual([deleted, deleted]);
  });

  test("handles are as easy to hit when zoomed far out", () => {
    const small = { ...view, scale: 0.1 };

    expect(play(context("polygon", { view: small, rings: [square] }), down(14, 13)).intents[0]).toMatchObject({ kind: "moveVertex" });
  });
});
