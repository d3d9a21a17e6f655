// The browser's events as the machine's plain values: positions are CSS pixels of the canvas, wheel steps are pixels.

import { screenPoint, type ScreenPoint } from "../geometry/coords";
import type { Device, InputEvent, Modifiers } from "./event";

type Keys = { readonly altKey: boolean; readonly ctrlKey: boolean; readonly shiftKey: boolean; readonly metaKey: boolean };

const LINE_PX = 33;
const PAGE_PX = 400;

export function pointerDown(event: PointerEvent, host: Element): InputEvent {
  return {
    kind: "down",
    pointer: event.pointerId,
    device: deviceOf(event),
    at: placeOf(event, host),
    button: event.button,
    held: modifiersOf(event),
    time: event.timeStamp,
  };
}

/** A move, with the steps that the browser put together into one: strokes stay round at any speed. */
export function pointerMoves(event: PointerEvent, host: Element): readonly InputEvent[] {
  const steps = event.getCoalescedEvents?.() ?? [];
  const all = steps.length > 0 ? steps : [event];
  return all.map((step) => ({ kind: "move", pointer: step.pointerId, at: placeOf(step, host), held: modifiersOf(step) }));
}

export const pointerUp = (event: PointerEvent, host: Element): InputEvent => ({
  kind: "up",
  pointer: event.pointerId,
  at: placeOf(event, host),
  held: modifiersOf(event),
});

export function wheelStep(event: WheelEvent, host: Element): InputEvent {
  // With Shift held some browsers turn the wheel sideways.
  const delta = Math.abs(event.deltaY) >= Math.abs(event.deltaX) ? event.deltaY : event.deltaX;
  const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : event.deltaMode === WheelEvent.DOM_DELTA_PAGE ? PAGE_PX : 1;
  return { kind: "wheel", at: placeOf(event, host), delta: delta * unit, held: modifiersOf(event) };
}

/** Whether keys go into a text or press a button, and are none of the canvas's business. */
export const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("input, textarea, select, button, a[href], summary, [contenteditable='true']") !== null;

function placeOf(event: MouseEvent, host: Element): ScreenPoint {
  const box = host.getBoundingClientRect();
  return screenPoint(event.clientX - box.left, event.clientY - box.top);
}

const modifiersOf = ({ altKey, ctrlKey, shiftKey, metaKey }: Keys): Modifiers => ({
  Alt: altKey,
  Control: ctrlKey,
  Shift: shiftKey,
  Meta: metaKey,
});

const deviceOf = ({ pointerType }: PointerEvent): Device =>
  pointerType === "touch" ? "touch" : pointerType === "pen" ? "pen" : "mouse";
