import { expect, test } from "vitest";
import { newDraft } from "../tools/draft";
import { BEGIN, type State } from "../state/values";
import { bindingOf, normalBinding, shownBinding, type KeyPress } from "./bindings";
import { actionFor, bound, conflictsOf, DEFAULT_KEYS, keymapOf, pointerKeysOf, readKeySettings, unbound } from "./keymap";
import { createKeys } from "./keys";
import { PRESET_KEYS, PRESETS } from "./presets";
import type { Scope } from "./roles";
import { ACTIONS, actionOf, canPerform, digitOf, type ActionId } from "./table";
import { text } from "../text";

const press = (key: string, code: string, held: Partial<KeyPress> = {}): KeyPress & { repeat: boolean } => ({
  key,
  code,
  ctrlKey: false,
  shiftKey: false,
  altKey: false,
  metaKey: false,
  repeat: false,
  ...held,
});
const FRAMED: State = {
  ...BEGIN,
  frame: { id: "f", name: "f", size_hw: [4, 4], ref: null, image_digest: null, num_masks: {} },
};
const HAND: State = {
  ...FRAMED,
  hand: { id: "h", frame: "f", base: null, label: null, draft: newDraft([4, 4]), preview: null, problem: null },
};

test("a binding is the same however it is written", () => {
  expect(normalBinding("shift+ctrl+d")).toBe("Ctrl+Shift+D");
  expect(normalBinding("Esc")).toBe("Escape");
  expect(normalBinding("ctrl++")).toBe("Ctrl++");
  expect(normalBinding("+")).toBe("+");
  expect(normalBinding("Ctrl")).toBe("Ctrl");
  expect(normalBinding("left")).toBe("ArrowLeft");
  expect(normalBinding("hyper+x")).toBeNull();
  expect(normalBinding("")).toBeNull();
  expect(shownBinding("Ctrl+ArrowLeft")).toBe("Ctrl+←");
});

test("key presses are the bindings that people mean by them", () => {
  expect(bindingOf(press("d", "KeyD"))).toBe("D");
  expect(bindingOf(press("D", "KeyD", { shiftKey: true, ctrlKey: true }))).toBe("Ctrl+Shift+D");
  expect(bindingOf(press("d", "KeyD", { metaKey: true }))).toBe("Ctrl+D");
  expect(bindingOf(press("!", "Digit1", { shiftKey: true }))).toBe("Shift+1");
  expect(bindingOf(press("?", "Slash", { shiftKey: true }))).toBe("?");
  expect(bindingOf(press("в", "KeyD"))).toBe("D");
  expect(bindingOf(press("a", "KeyQ"))).toBe("A"); // a French keyboard
  expect(bindingOf(press(" ", "Space"))).toBe("Space");
  expect(bindingOf(press("Control", "ControlLeft", { ctrlKey: true }))).toBe("Ctrl");
  expect(bindingOf(press("+", "NumpadAdd"))).toBe("+");
});

test("in no preset a key means two things at once", () => {
  for (const preset of PRESETS) {
    const keymap = keymapOf({ preset, own: {} });
    for (const [id, keys] of keymap) {
      for (const key of keys) expect([preset, id, key, conflictsOf(keymap, id, key)]).toEqual([preset, id, key, []]);
    }
  }
});

test("every key that a preset names does what the preset says", () => {
  for (const preset of PRESETS) {
    const keymap = keymapOf({ preset, own: {} });
    for (const [id, keys] of Object.entries(PRESET_KEYS[preset])) {
      expect([preset, id, keymap.get(id as ActionId)]).toEqual([preset, id, keys.map(normalBinding)]);
    }
  }
});

test("in every preset every action has a key", () => {
  for (const preset of PRESETS) {
    const without = [...keymapOf({ preset, own: {} })].filter(([, keys]) => keys.length === 0).map(([id]) => id);
    expect([preset, without]).toEqual([preset, []]);
  }
});

test("every action has a name and a tooltip", () => {
  for (const { id } of ACTIONS) {
    expect(text.actions[id].name, id).not.toBe("");
    expect(text.actions[id].tooltip, id).not.toBe("");
  }
  expect(new Set(ACTIONS.map((one) => one.id)).size).toBe(ACTIONS.length);
});

test("enter commits what is in hand, and accepts when there is nothing", () => {
  const keymap = keymapOf(DEFAULT_KEYS);

  expect(actionFor(keymap, "Enter", HAND)?.id).toBe("commit");
  expect(actionFor(keymap, "Enter", { ...FRAMED, selection: ["a"] })?.id).toBe("accept");
  expect(actionFor(keymap, "Enter", FRAMED)).toBeNull();
});

test("a key that is bound anew is taken from what had it", () => {
  const settings = bound(DEFAULT_KEYS, "skip", "D");

  expect(conflictsOf(keymapOf(DEFAULT_KEYS), "skip", "D")).toEqual(["next_frame"]);
  expect(keymapOf(settings).get("skip")).toEqual(["S", "D"]);
  expect(keymapOf(settings).get("next_frame")).toEqual(["ArrowRight"]);
  expect(keymapOf(unbound(settings, "skip", "S")).get("skip")).toEqual(["D"]);
});

test("key settings that are broken are the default ones", () => {
  expect(readKeySettings("what")).toEqual(DEFAULT_KEYS);
  expect(readKeySettings({ preset: "other", own: { skip: ["K", 3, ""], nonsense: ["X"] } })).toEqual({ preset: "maskwright", own: { skip: ["K"] } });
  expect(readKeySettings(JSON.parse(JSON.stringify(bound(DEFAULT_KEYS, "skip", "D"))))).toEqual(bound(DEFAULT_KEYS, "skip", "D"));
});

test("the canvas is told which keys change the pointer", () => {
  expect(pointerKeysOf(keymapOf(DEFAULT_KEYS))).toMatchObject({ queue: "Control", negative: "Alt", pan: [" "] });
  expect(pointerKeysOf(keymapOf({ preset: "cvat", own: {} })).pan).toEqual(["shift"]);
  expect(pointerKeysOf(keymapOf({ preset: "label_studio", own: {} })).pan).toEqual(["h", " "]);
  expect(pointerKeysOf(keymapOf(DEFAULT_KEYS), true).pan).toEqual([]);
});

test("held actions last as long as their key, repeated ones repeat, others do not", () => {
  const did: string[] = [];
  const keymap = keymapOf(DEFAULT_KEYS);
  const state = { ...FRAMED, selection: ["a"] };
  const keys = createKeys({ keymap: () => keymap, state: () => state, perform: (id) => did.push(id), hold: (id, on) => did.push(`${id} ${on}`) });

  keys.down(press("h", "KeyH"));
  keys.down(press("h", "KeyH", { repeat: true } as Partial<KeyPress>));
  keys.down(press("s", "KeyS"));
  keys.down({ ...press("s", "KeyS"), repeat: true });
  keys.down({ ...press("d", "KeyD"), repeat: true });
  keys.up(press("h", "KeyH"));
  keys.down(press("Control", "ControlLeft", { ctrlKey: true }));
  keys.blur();

  expect(did).toEqual(["hide_masks true", "skip", "next_frame", "hide_masks false", "queue_clicks true", "queue_clicks false"]);
});

test("digits are labels in their order on the keyboard", () => {
  expect([digitOf("label_1"), digitOf("label_9"), digitOf("label_0"), digitOf("accept")]).toEqual([0, 8, 9, null]);
  expect(actionOf("label_3").keys).toEqual(["3"]);
});

test("what a role may not do cannot be done, and looking is for everybody", () => {
  const state = (scope: Scope): State => ({ ...FRAMED, selection: ["a"], caller: { name: "n", scope, store: null } });
  const can = (id: ActionId, scope: Scope, more: Partial<State> = {}): boolean => canPerform(actionOf(id), { ...state(scope), ...more });

  expect([can("accept", "read"), can("accept", "annotate")]).toEqual([false, true]);
  expect([can("tool_brush", "read"), can("tool_move", "read"), can("next_mask", "read"), can("show_dashboard", "read")]).toEqual([false, true, true, true]);
  expect([can("show_disagreements", "annotate"), can("show_disagreements", "review"), can("show_disagreements", "admin")]).toEqual([false, true, true]);
});

test("under another view only its own actions and those of every view are done", () => {
  const over = (view: State["people"]["view"]): State => ({ ...FRAMED, selection: ["a"], people: { ...FRAMED.people, view } });

  expect(actionFor(keymapOf(DEFAULT_KEYS), "1", over("disagreements"))?.id).toBe("take_first");
  expect(actionFor(keymapOf(DEFAULT_KEYS), "1", over("work"))?.id).toBe("label_1");
  expect(actionFor(keymapOf(DEFAULT_KEYS), "Enter", over("dashboard"))).toBeNull();
  expect(actionFor(keymapOf(DEFAULT_KEYS), "Ctrl+Shift+D", over("dashboard"))?.id).toBe("show_dashboard");
});
