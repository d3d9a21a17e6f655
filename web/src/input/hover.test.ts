import { expect, test } from "vitest";
import { imagePoint } from "../geometry/coords";
import { HOVER_IDLE, hoverStep, hoverWait, type HoverState } from "./hover";

const at = imagePoint;

function asked(): HoverState {
  return hoverStep(HOVER_IDLE, { kind: "moved", at: at(1, 1), time: 0 }).state;
}

test("the first place is asked about at once", () => {
  const step = hoverStep(HOVER_IDLE, { kind: "moved", at: at(3, 4), time: 0 });

  expect(step.ask).toEqual({ id: 1, at: at(3, 4) });
});

test("while a question is open no other is asked, and the latest place is asked about when it closes", () => {
  const moved = hoverStep(asked(), { kind: "moved", at: at(2, 2), time: 50 });
  const again = hoverStep(moved.state, { kind: "moved", at: at(9, 9), time: 90 });
  expect([moved.ask, again.ask]).toEqual([null, null]);

  const step = hoverStep(again.state, { kind: "answered", id: 1, time: 100 });

  expect(step.isShown).toBe(true);
  expect(step.ask).toEqual({ id: 2, at: at(9, 9) });
});

test("a fast server is not asked more often than the pause allows", () => {
  const free = hoverStep(asked(), { kind: "answered", id: 1, time: 5 }).state;

  const soon = hoverStep(free, { kind: "moved", at: at(5, 5), time: 10 });

  expect(soon.ask).toBeNull();
  expect(hoverWait(soon.state, 10)).toBe(30);
  expect(hoverStep(soon.state, { kind: "tick", time: 40 }).ask?.id).toBe(2);
});

test("an answer that comes after the pointer left is not shown, and still counts as open until then", () => {
  const left = hoverStep(asked(), { kind: "left" }).state;
  const back = hoverStep(left, { kind: "moved", at: at(7, 7), time: 80 });
  expect(back.ask).toBeNull();

  const step = hoverStep(back.state, { kind: "answered", id: 1, time: 90 });

  expect(step.isShown).toBe(false);
  expect(step.ask?.at).toEqual(at(7, 7));
});

test("an answer to a question nobody asked changes nothing", () => {
  const state = asked();

  expect(hoverStep(state, { kind: "answered", id: 77, time: 9 }).state).toBe(state);
});
