// Pointer, wheel and key events as plain values, so that the input machine can be tested without a browser.

import type { ScreenPoint } from "../geometry/coords";

export type Modifier = "Alt" | "Control" | "Shift" | "Meta";
export type Modifiers = { readonly [name in Modifier]: boolean };
export type Device = "mouse" | "pen" | "touch";

export type InputEvent =
  | {
      readonly kind: "down";
      readonly pointer: number;
      readonly device: Device;
      readonly at: ScreenPoint;
      readonly button: number;
      readonly held: Modifiers;
      readonly time: number;
    }
  | { readonly kind: "move"; readonly pointer: number; readonly at: ScreenPoint; readonly held: Modifiers }
  | { readonly kind: "up"; readonly pointer: number; readonly at: ScreenPoint; readonly held: Modifiers }
  | { readonly kind: "lost"; readonly pointer: number }
  | { readonly kind: "leave" }
  | { readonly kind: "wheel"; readonly at: ScreenPoint; readonly delta: number; readonly held: Modifiers }
  | { readonly kind: "keyDown"; readonly key: string }
  | { readonly kind: "keyUp"; readonly key: string }
  | { readonly kind: "blur" };

export const NO_MODIFIERS: Modifiers = { Alt: false, Control: false, Shift: false, Meta: false };

/** The keys that change what the pointer does; people rebind them. Each preset of shortcuts has its own. */
export type PointerKeys = {
  /** While held, clicks wait; they run once when it is let go. */
  readonly queue: Modifier;
  /** Makes the left button do what the right one does. */
  readonly negative: Modifier;
  /** With the wheel: the brush's size. */
  readonly brushSize: Modifier;
  /** While one is held, the left button pans; names of keys in small letters. */
  readonly pan: readonly string[];
};

export const POINTER_KEYS: PointerKeys = { queue: "Control", negative: "Alt", brushSize: "Shift", pan: [" "] };
