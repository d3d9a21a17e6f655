// Pointer, wheel and key events become intents and moves of the view. A pure state machine: what it must know of the
// rest (view, tool, rings) comes in as context with each event, and nothing is kept but the gesture under way.

import { screenPoint, type BoxXyxy, type ImagePoint, type ScreenPoint } from "../geometry/coords";
import { limitRadius } from "../tools/tool";
import { toImage, type View } from "../view/view";
import type { InputEvent, Modifiers } from "./event";
import { isNear } from "./hit";
import type { Intent, ViewMove } from "./intent";
import { pressPolygon } from "./polygon_press";
import { begin, inside, isInside, step, type Down, type Gesture, type InputContext, type InputState, type InputStep } from "./state";

/** So far may a press wander and still be a press. */
const SLOP = 4;
const DOUBLE_MS = 350;

export function inputStep(state: InputState, event: InputEvent, context: InputContext): InputStep {
  switch (event.kind) {
    case "down":
      return onDown(state, event, context);
    case "move":
      return onMove(state, event, context);
    case "up":
      return onUp(state, event, context);
    case "lost":
      return giveUp(state);
    case "leave":
      return step(state, [{ kind: "hover", at: null }]);
    case "wheel":
      return onWheel(state, event, context);
    case "keyDown":
      return onKeyDown(state, event.key, context);
    case "keyUp":
      return onKeyUp(state, event.key, context);
    case "blur": {
      const given = giveUp({ ...state, isPanHeld: false, hasQueue: false });
      return state.hasQueue ? { ...given, intents: [...given.intents, { kind: "runQueue" }] } : given;
    }
  }
}

// A mouse acts when its button goes down, which saves the time until it comes up; a finger when it is lifted, since a
// second one may still make it a pinch.
function onDown(state: InputState, event: Down, context: InputContext): InputStep {
  if (state.gesture !== null) return secondDown(state, event);
  if (event.button === 1 || state.isPanHeld) return begin({ ...state, hasPanned: true }, pan(event));
  if (event.button !== 0 && event.button !== 2) return step(state);
  const isDouble = isDoubleDown(state, event);
  const next = { ...state, lastDown: { at: event.at, time: event.time, button: event.button } };
  // A key that is held may be told twice: by the event, and as what it is bound to.
  const isNegative = event.button === 2 || context.isNegative || event.held[context.keys.negative];
  const at = toImage(context.view, event.at);
  switch (context.tool) {
    case "move":
      return event.button === 0 ? begin(next, { kind: "press", pointer: event.pointer, at: event.at, isNegative }) : step(next);
    case "click":
      if (isDouble) return step(next);
      if (event.device === "touch") return begin(next, { kind: "press", pointer: event.pointer, at: event.at, isNegative });
      return clicked(next, at, isNegative, event.held, context);
    case "box":
    case "everything":
      return begin(next, { kind: "box", pointer: event.pointer, from: event.at, isNegative });
    case "brush":
    case "eraser": {
      // Clicks can be queued and strokes cannot: with them the key of the queue erases, as hands expect from elsewhere.
      const isErasing = (context.tool === "eraser") !== (isNegative || event.held[context.keys.queue]);
      const stroke: Intent = { kind: "stroke", phase: "start", at, radius: context.radius, isErasing };
      return begin(next, { kind: "stroke", pointer: event.pointer, isErasing }, [stroke]);
    }
    case "lasso":
    case "cut":
      return begin(next, { kind: "path", pointer: event.pointer, isNegative }, [{ kind: "path", phase: "start", at, isNegative }]);
    case "polygon":
      return pressPolygon(next, event, context, { isDouble, isNegative });
  }
}

function secondDown(state: InputState, event: Down): InputStep {
  const { gesture } = state;
  if (event.device !== "touch" || gesture === null || gesture.kind === "pinch") return step(state);
  const given = giveUp(state);
  const first = "at" in gesture ? gesture.at : (state.lastDown?.at ?? event.at);
  const pinch: Gesture = {
    kind: "pinch",
    a: { pointer: gesture.pointer, at: gesture.kind === "pan" ? gesture.last : first },
    b: { pointer: event.pointer, at: event.at },
  };
  return { ...given, state: { ...given.state, gesture: pinch }, isHandled: true };
}

function onMove(state: InputState, event: Extract<InputEvent, { kind: "move" }>, context: InputContext): InputStep {
  const { gesture } = state;
  const at = toImage(context.view, event.at);
  if (gesture === null) {
    const released = state.hasQueue && !event.held[context.keys.queue];
    const hover: Intent = { kind: "hover", at };
    return released ? step({ ...state, hasQueue: false }, [{ kind: "runQueue" }, hover]) : step(state, [hover]);
  }
  if (gesture.kind === "pinch") return pinched(state, gesture, event);
  if (gesture.pointer !== event.pointer) return step(state);
  switch (gesture.kind) {
    case "pan":
      return { ...step({ ...state, gesture: { ...gesture, last: event.at } }, [], [moved(gesture.last, event.at)]) };
    case "press": {
      if (isNear(gesture.at, event.at, SLOP)) return step(state);
      const panning: Gesture = { kind: "pan", pointer: event.pointer, last: event.at };
      return step({ ...state, gesture: panning }, [], [moved(gesture.at, event.at)]);
    }
    case "box":
      return step(state, [{ kind: "boxing", box: boxOf(context.view, gesture.from, event.at) }]);
    case "stroke":
      return step(state, [strokeTo("move", at, gesture.isErasing, context), { kind: "hover", at }]);
    case "path":
      return step(state, [{ kind: "path", phase: "move", at, isNegative: gesture.isNegative }]);
    case "vertex":
      return step(state, [{ kind: "moveVertex", phase: "move", vertex: gesture.vertex, to: inside(at, context.view) }]);
  }
}

function onUp(state: InputState, event: Extract<InputEvent, { kind: "up" }>, context: InputContext): InputStep {
  const { gesture } = state;
  if (gesture === null) return step(state);
  const done = { ...state, gesture: null };
  if (gesture.kind === "pinch") return lifted(done, gesture, event.pointer);
  if (gesture.pointer !== event.pointer) return step(state);
  const at = toImage(context.view, event.at);
  switch (gesture.kind) {
    case "pan":
      return step(done);
    case "press":
      return context.tool === "move"
        ? step(done, [{ kind: "pick", at, isAdded: event.held.Shift || event.held.Control }])
        : clicked(done, at, gesture.isNegative, event.held, context);
    case "box":
      if (isNear(gesture.from, event.at, SLOP)) {
        if (context.tool === "everything") return step(done, [{ kind: "abandon" }]);
        const given = clicked(done, at, gesture.isNegative, event.held, context);
        return { ...given, intents: [{ kind: "abandon" }, ...given.intents] };
      }
      return boxed(done, boxOf(context.view, gesture.from, event.at), event.held, context);
    case "stroke":
      return step(done, [strokeTo("end", at, gesture.isErasing, context)]);
    case "path":
      return step(done, [{ kind: "path", phase: "end", at, isNegative: gesture.isNegative }]);
    case "vertex":
      return step(done, [{ kind: "moveVertex", phase: "end", vertex: gesture.vertex, to: inside(at, context.view) }]);
  }
}

function onWheel(state: InputState, event: Extract<InputEvent, { kind: "wheel" }>, context: InputContext): InputStep {
  const isPainting = context.tool === "brush" || context.tool === "eraser";
  if (isPainting && event.held[context.keys.brushSize]) {
    return step(state, [{ kind: "brushSize", radius: limitRadius(context.radius * Math.exp(-event.delta * 0.0012)) }]);
  }
  // Browsers send a pinch on a touchpad as a wheel with Control held, in much smaller steps.
  const factor = Math.exp(-event.delta * (event.held.Control ? 0.01 : 0.0018));
  return step(state, [], [{ kind: "zoom", at: event.at, factor }]);
}

function onKeyDown(state: InputState, key: string, context: InputContext): InputStep {
  if (isPan(key, context)) {
    // A key that is held repeats.
    const held = state.isPanHeld ? state : { ...state, isPanHeld: true, hasPanned: state.gesture !== null };
    return { ...step(held), isHandled: true };
  }
  if (key === "Escape" && (state.gesture !== null || context.openRing !== null)) return escaped(state);
  if (context.openRing === null) return step(state);
  if (key === "Enter") return step(state, [{ kind: "closeRing" }]);
  if (key === "Backspace") return step(state, [{ kind: "dropVertex" }]);
  return step(state);
}

function onKeyUp(state: InputState, key: string, context: InputContext): InputStep {
  if (isPan(key, context)) {
    // Other keys are held for much else, such as the size of the brush.
    const isTap = key === " " && state.isPanHeld && !state.hasPanned;
    return step({ ...state, isPanHeld: false }, isTap ? [{ kind: "tap" }] : []);
  }
  if (key === context.keys.queue && state.hasQueue) return step({ ...state, hasQueue: false }, [{ kind: "runQueue" }]);
  return step(state);
}

const isPan = (key: string, { keys }: InputContext): boolean => keys.pan.includes(key.toLowerCase());

/** A gesture under way ends without effect; panning and pinching have nothing to take back. */
function giveUp(state: InputState): InputStep {
  const { gesture } = state;
  const isPlain = gesture === null || gesture.kind === "pan" || gesture.kind === "pinch" || gesture.kind === "press";
  return step({ ...state, gesture: null }, isPlain ? [] : [{ kind: "abandon" }]);
}

const escaped = (state: InputState): InputStep => step({ ...state, gesture: null }, [{ kind: "abandon" }]);

function clicked(state: InputState, at: ImagePoint, isNegative: boolean, held: Modifiers, context: InputContext): InputStep {
  if (!isInside(at, context.view)) return step(state);
  const isQueued = held[context.keys.queue];
  return step({ ...state, hasQueue: state.hasQueue || isQueued }, [{ kind: "click", at, positive: !isNegative, isQueued }]);
}

function boxed(state: InputState, box: BoxXyxy, held: Modifiers, context: InputContext): InputStep {
  if (box[2] - box[0] < 1 || box[3] - box[1] < 1) return step(state, [{ kind: "abandon" }]);
  const isQueued = held[context.keys.queue];
  return step({ ...state, hasQueue: state.hasQueue || isQueued }, [{ kind: "box", box, isQueued }]);
}

function pinched(
  state: InputState,
  gesture: Extract<Gesture, { kind: "pinch" }>,
  event: Extract<InputEvent, { kind: "move" }>,
): InputStep {
  const { a, b } = gesture;
  const next =
    event.pointer === a.pointer ? { a: { ...a, at: event.at }, b } : event.pointer === b.pointer ? { a, b: { ...b, at: event.at } } : null;
  if (next === null) return step(state);
  const [was, is] = [centre(a.at, b.at), centre(next.a.at, next.b.at)];
  const factor = apart(next.a.at, next.b.at) / Math.max(apart(a.at, b.at), 1);
  return step({ ...state, gesture: { kind: "pinch", ...next } }, [], [moved(was, is), { kind: "zoom", at: is, factor }]);
}

/** One finger of two is lifted: the other goes on panning. */
function lifted(state: InputState, gesture: Extract<Gesture, { kind: "pinch" }>, pointer: number): InputStep {
  const left = pointer === gesture.a.pointer ? gesture.b : pointer === gesture.b.pointer ? gesture.a : null;
  if (left === null) return step({ ...state, gesture });
  return step({ ...state, gesture: { kind: "pan", pointer: left.pointer, last: left.at } });
}

function isDoubleDown(state: InputState, event: Down): boolean {
  const last = state.lastDown;
  return last !== null && last.button === event.button && event.time - last.time < DOUBLE_MS && isNear(last.at, event.at, SLOP);
}

function boxOf(view: View, from: ScreenPoint, to: ScreenPoint): BoxXyxy {
  const a = inside(toImage(view, from), view);
  const b = inside(toImage(view, to), view);
  return [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x), Math.max(a.y, b.y)];
}

function strokeTo(phase: "move" | "end", at: ImagePoint, isErasing: boolean, context: InputContext): Intent {
  return { kind: "stroke", phase, at, radius: context.radius, isErasing };
}

const pan = (event: Down): Gesture => ({ kind: "pan", pointer: event.pointer, last: event.at });
const moved = (from: ScreenPoint, to: ScreenPoint): ViewMove => ({ kind: "pan", x: to.x - from.x, y: to.y - from.y });
const centre = (a: ScreenPoint, b: ScreenPoint): ScreenPoint => screenPoint((a.x + b.x) / 2, (a.y + b.y) / 2);
const apart = (a: ScreenPoint, b: ScreenPoint): number => Math.hypot(a.x - b.x, a.y - b.y);
