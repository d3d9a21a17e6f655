// Which keys do what: a preset, and on top what the person has bound. Pure. No key means two things at the same time.

import type { Modifier, PointerKeys } from "../input/event";
import { POINTER_KEYS } from "../input/event";
import { keyOfBinding, normalBinding, type Binding } from "./bindings";
import { PRESET_KEYS, PRESETS, type Preset } from "./presets";
import { actionOf, ACTIONS, canPerform, isActionId, isEverywhere, type ActionId, type ActionSpec } from "./table";
import type { State } from "../state/values";

export type Keymap = ReadonlyMap<ActionId, readonly Binding[]>;

/** What is kept of a person's keys. */
export type KeySettings = { readonly preset: Preset; readonly own: { readonly [id in ActionId]?: readonly Binding[] } };
export const DEFAULT_KEYS: KeySettings = { preset: "maskwright", own: {} };

/** The keys of a preset and a person. What was bound later takes a key from what had it before. */
export function keymapOf({ preset, own }: KeySettings): Keymap {
  const layers = [own, PRESET_KEYS[preset]];
  const keys = new Map<ActionId, readonly Binding[]>();
  for (const layer of [...layers, null]) {
    for (const action of ACTIONS) {
      if (keys.has(action.id)) continue;
      const given = layer === null ? action.keys : layer[action.id];
      if (given === undefined) continue;
      const wanted = given.map(normalBinding).filter((one) => one !== null);
      keys.set(action.id, wanted.filter((one) => usersOf(keys, one, action).length === 0));
    }
  }
  return new Map(ACTIONS.map((action) => [action.id, keys.get(action.id) ?? []]));
}

/** The actions that have a key already and would be in the way of another. */
export const conflictsOf = (keymap: Keymap, id: ActionId, binding: Binding): readonly ActionId[] =>
  usersOf(keymap, binding, actionOf(id)).filter((one) => one !== id);

/** Bind a key to an action as well; the actions in the way lose it. */
export function bound(settings: KeySettings, id: ActionId, binding: Binding): KeySettings {
  const keymap = keymapOf(settings);
  const losers = conflictsOf(keymap, id, binding);
  const without = losers.map((loser) => [loser, (keymap.get(loser) ?? []).filter((one) => one !== binding)] as const);
  const keys = [...new Set([...(keymap.get(id) ?? []), binding])];
  return { ...settings, own: { ...settings.own, ...Object.fromEntries(without), [id]: keys } };
}

/** Take a key from an action. */
export function unbound(settings: KeySettings, id: ActionId, binding: Binding): KeySettings {
  const keys = (keymapOf(settings).get(id) ?? []).filter((one) => one !== binding);
  return { ...settings, own: { ...settings.own, [id]: keys } };
}

/** The action that a key does now; null if none can be done. */
export function actionFor(keymap: Keymap, binding: Binding, state: State): ActionSpec | null {
  const found = ACTIONS.filter((action) => (keymap.get(action.id) ?? []).includes(binding) && canPerform(action, state));
  return found.find((action) => action.when === "pointing") ?? found[0] ?? null;
}

/** Whether a key does anything at all, so that the browser must not do something else with it. */
export const isBound = (keymap: Keymap, binding: Binding): boolean => [...keymap.values()].some((keys) => keys.includes(binding));

/** What the canvas wants to know of keys that change the pointer. While keys move it, none pans. */
export function pointerKeysOf(keymap: Keymap, isPointing = false): PointerKeys {
  const pan = (keymap.get("pan") ?? []).map((binding) => (binding === "Space" ? " " : keyOfBinding(binding).toLowerCase()));
  return {
    ...POINTER_KEYS,
    queue: modifierOf(keymap.get("queue_clicks")) ?? POINTER_KEYS.queue,
    negative: modifierOf(keymap.get("negative")) ?? POINTER_KEYS.negative,
    pan: isPointing ? [] : pan,
  };
}

/** Read what was kept; what an older version or another hand wrote there must not stop the app. */
export function readKeySettings(value: unknown): KeySettings {
  if (typeof value !== "object" || value === null || !("preset" in value) || !("own" in value)) return DEFAULT_KEYS;
  const preset = PRESETS.find((one) => one === value.preset) ?? "maskwright";
  const given = typeof value.own === "object" && value.own !== null ? Object.entries(value.own) : [];
  const own = given.flatMap(([id, keys]: [string, unknown]) =>
    isActionId(id) && Array.isArray(keys) ? [[id, keys.filter((one) => typeof one === "string" && normalBinding(one) !== null)]] : [],
  );
  return { preset, own: Object.fromEntries(own) };
}

function usersOf(keymap: Keymap, binding: Binding, action: ActionSpec): readonly ActionId[] {
  return [...keymap].filter(([id, keys]) => keys.includes(binding) && mayMeet(actionOf(id), action)).map(([id]) => id);
}

function mayMeet(a: ActionSpec, b: ActionSpec): boolean {
  if ((a.when === "pointing") !== (b.when === "pointing")) return false;
  if ((a.when === "compare") !== (b.when === "compare")) return isEverywhere(a) || isEverywhere(b);
  return a.when === "any" || b.when === "any" || a.when === b.when;
}

const MODIFIERS: { readonly [binding: string]: Modifier } = { Ctrl: "Control", Alt: "Alt", Shift: "Shift" };
const modifierOf = (keys: readonly Binding[] | undefined): Modifier | null => MODIFIERS[keys?.[0] ?? ""] ?? null;
