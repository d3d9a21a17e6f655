// Keys as text, "Ctrl+Shift+D", and as the browser tells them. A binding means a letter wherever it is on the keyboard;
// where the keyboard writes no Latin letters, it means the key that writes it on an English one. Digits are meant by their
// place, since Shift makes other characters of them.

export type Binding = string;

export type KeyPress = {
  readonly key: string;
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
};

const MODIFIERS = ["Ctrl", "Alt", "Shift"] as const;
type Modifier = (typeof MODIFIERS)[number];

// How people write keys, and how the browser names them.
const NAMES: { readonly [name: string]: string } = {
  " ": "Space",
  Esc: "Escape",
  Del: "Delete",
  Left: "ArrowLeft",
  Right: "ArrowRight",
  Up: "ArrowUp",
  Down: "ArrowDown",
  Control: "Ctrl",
  Cmd: "Ctrl",
  Meta: "Ctrl",
  Option: "Alt",
  Return: "Enter",
};
const SHOWN: { readonly [key: string]: string } = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Delete: "Del",
};

/** Bring a binding into the one form in which bindings are compared; null if it is none. */
export function normalBinding(text: string): Binding | null {
  const words = text === "+" ? ["+"] : text.replace(/\+\+$/, "+plus").split("+").map((word) => (word === "plus" ? "+" : word === " " ? word : word.trim()));
  const named = words.map((word) => NAMES[word] ?? NAMES[capitalised(word)] ?? word);
  const key = named.at(-1) ?? "";
  const held = named.slice(0, -1).map(capitalised);
  if (key === "" || held.some((one) => !isModifier(one))) return null;
  return joined(new Set(held.filter(isModifier)), isModifier(key) ? key : keyName(key));
}

/** The binding that a key press is. On a Mac the command key is what Ctrl is elsewhere. */
export function bindingOf(press: KeyPress): Binding {
  const key = keyOf(press);
  const held = new Set<Modifier>();
  if ((press.ctrlKey || press.metaKey) && key !== "Ctrl") held.add("Ctrl");
  if (press.altKey && key !== "Alt") held.add("Alt");
  // A character that only Shift makes (? on most keyboards) says so itself.
  const saysShift = key.length === 1 && !/[a-z0-9]/i.test(key);
  if (press.shiftKey && key !== "Shift" && !saysShift) held.add("Shift");
  return joined(held, key);
}

/** The key alone, without what is held beside it: what is let go when a held binding ends. */
export const keyOfBinding = (binding: Binding): string => (binding.endsWith("++") ? "+" : (binding.split("+").at(-1) ?? binding) || "+");

/** A binding as keyboards show it. */
export const shownBinding = (binding: Binding): string => {
  const key = keyOfBinding(binding);
  const held = binding.slice(0, binding.length - key.length);
  return `${held}${SHOWN[key] ?? key}`;
};

/** The key of a press, as bindings name it. */
export function keyOf({ key, code }: Pick<KeyPress, "key" | "code">): string {
  const digit = /^Digit(\d)$/.exec(code)?.[1] ?? /^Numpad(\d)$/.exec(code)?.[1];
  if (digit !== undefined) return digit;
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  // Alt makes other characters of letters on a Mac; Cyrillic, Greek and others have none of ours.
  if (letter !== undefined && !/^[a-z]$/i.test(key)) return letter;
  return keyName(NAMES[key] ?? key);
}

const keyName = (key: string): string => (key.length === 1 ? key.toUpperCase() : capitalised(key));
const capitalised = (word: string): string => (word.length > 1 ? word.charAt(0).toUpperCase() + word.slice(1) : word);
const isModifier = (word: string): word is Modifier => (MODIFIERS as readonly string[]).includes(word);
const joined = (held: ReadonlySet<Modifier>, key: string): Binding => [...MODIFIERS.filter((one) => held.has(one) && one !== key), key].join("+");
