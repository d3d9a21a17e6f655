// What the input machine keeps and what it is told: the gesture under way, and the context that comes with each event.

import { imagePoint, type ImagePoint, type ScreenPoint } from "../geometry/coords";
import type { Tool } from "../tools/tool";
import type { View } from "../view/view";
import type { InputEvent, PointerKeys } from "./event";
import type { Ring } from "../geometry/rings";
import type { Intent, VertexRef, ViewMove } from "./intent";

export type InputContext = {
  readonly view: View;
  readonly tool: Tool;
  readonly radius: number;
  readonly keys: PointerKeys;
  /** Closed rings whose vertices can be moved, and the ring that is being drawn. */
  readonly rings: readonly Ring[];
  readonly openRing: readonly ImagePoint[] | null;
  /** Turned on where there is no right button: every press takes away. */
  readonly isNegative: boolean;
};

export type Finger = { readonly pointer: number; readonly at: ScreenPoint };

export type Gesture =
  | { readonly kind: "pan"; readonly pointer: number; readonly last: ScreenPoint }
  | { readonly kind: "pinch"; readonly a: Finger; readonly b: Finger }
  | { readonly kind: "press"; readonly pointer: number; readonly at: ScreenPoint; readonly isNegative: boolean }
  | { readonly kind: "box"; readonly pointer: number; readonly from: ScreenPoint; readonly isNegative: boolean }
  | { readonly kind: "stroke"; readonly pointer: number; readonly isErasing: boolean }
  | { readonly kind: "path"; readonly pointer: number; readonly isNegative: boolean }
  | { readonly kind: "vertex"; readonly pointer: number; readonly vertex: VertexRef };

export type InputState = {
  readonly gesture: Gesture | null;
  readonly isPanHeld: boolean;
  /** Something was panned since the key went down. */
  readonly hasPanned: boolean;
  readonly hasQueue: boolean;
  readonly lastDown: { readonly at: ScreenPoint; readonly time: number; readonly button: number } | null;
};

export type InputStep = {
  readonly state: InputState;
  readonly intents: readonly Intent[];
  readonly moves: readonly ViewMove[];
  /** The event has done its work here: the page must not act on it too. */
  readonly isHandled: boolean;
};

export type Down = Extract<InputEvent, { kind: "down" }>;

export const INPUT_IDLE: InputState = { gesture: null, isPanHeld: false, hasPanned: false, hasQueue: false, lastDown: null };

export function step(state: InputState, intents: readonly Intent[] = [], moves: readonly ViewMove[] = []): InputStep {
  return { state, intents, moves, isHandled: intents.length + moves.length > 0 };
}

export function begin(state: InputState, gesture: Gesture, intents: readonly Intent[] = []): InputStep {
  return { state: { ...state, gesture }, intents, moves: [], isHandled: true };
}

export function inside(at: ImagePoint, view: View): ImagePoint {
  const [height, width] = view.sizeHw;
  return imagePoint(Math.min(Math.max(at.x, 0), width), Math.min(Math.max(at.y, 0), height));
}

export const isInside = (at: ImagePoint, view: View): boolean =>
  at.x >= 0 && at.y >= 0 && at.x < view.sizeHw[1] && at.y < view.sizeHw[0];

