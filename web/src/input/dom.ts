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

const TEXTS = "input:not([type='range'], [type='checkbox'], [type='radio']), textarea, select, [contenteditable='true'], dialog";
const CONTROLS = "input, button, a[href], summary";
const OF_CONTROLS: ReadonlySet<string> = new Set(["Enter", " ", "Tab"]);
const OF_SLIDERS: ReadonlySet<string> = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);

/** Whether a key goes into a text, or does what the control that has the keyboard is for, and is none of ours. */
export function isTaken(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof Element) || /^F\d+$/.test(key)) return false;
  if (target.closest(TEXTS) !== null || target.ownerDocument.querySelector("dialog:modal") !== null) return true;
  if (target.closest(CONTROLS) === null) return false;
  return OF_CONTROLS.has(key) || (target.matches("input") && OF_SLIDERS.has(key));
}

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
