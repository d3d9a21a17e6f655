// Key presses to actions. Held actions begin when their key goes down and end when it comes up, whatever else is pressed in
// between, or when the window loses the keyboard.

import { bindingOf, keyOf, type KeyPress } from "./bindings";
import { actionFor, isBound, type Keymap } from "./keymap";
import type { ActionId } from "./table";
import type { State } from "../state/values";

export type KeyDown = KeyPress & { readonly repeat: boolean };

export type KeyParts = {
  readonly keymap: () => Keymap;
  readonly state: () => State;
  readonly perform: (id: ActionId) => void;
  readonly hold: (id: ActionId, isOn: boolean) => void;
};

export type Keys = {
  /** True if the key was ours: the browser must not act on it too. */
  readonly down: (press: KeyDown) => boolean;
  readonly up: (press: Pick<KeyPress, "key" | "code">) => void;
  /** The window lost the keyboard. */
  readonly blur: () => void;
};

export function createKeys({ keymap, state, perform, hold }: KeyParts): Keys {
  const held = new Map<string, ActionId>();

  function down(press: KeyDown): boolean {
    const binding = bindingOf(press);
    const action = actionFor(keymap(), binding, state());
    // Other views are pages: there the browser's own keys go from button to button.
    if (action === null) return state().people.view === "work" && isBound(keymap(), binding);
    if (action.isHeld) {
      const key = keyOf(press);
      if (!held.has(key)) {
        held.set(key, action.id);
        hold(action.id, true);
      }
      // Ctrl, Alt and Shift by themselves do nothing in a browser, and must stay good for its own shortcuts.
      return !["Ctrl", "Alt", "Shift"].includes(key);
    }
    if (!press.repeat || action.isRepeated) perform(action.id);
    return true;
  }

  function up(press: Pick<KeyPress, "key" | "code">): void {
    const key = keyOf(press);
    const id = held.get(key);
    if (id === undefined) return;
    held.delete(key);
    hold(id, false);
  }

  function blur(): void {
    const all = [...held.values()];
    held.clear();
    for (const id of all) hold(id, false);
  }
  return { down, up, blur };
}
