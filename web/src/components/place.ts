// What every component of an open store shares: the application, its keys, its pictures, and the way back to the canvas,
// where keys mean what the table of actions says.

import { createContext } from "svelte";
import { shownBinding } from "../actions/bindings";
import type { Keymap } from "../actions/keymap";
import { mayDo, needOf } from "../actions/roles";
import { actionOf, type ActionId } from "../actions/table";
import type { Client } from "../api/client";
import type { Pictures } from "../pictures";
import type { KeyboardOf } from "../state/begin";
import type { Review } from "../state/review";
import type { SignIn } from "../state/sign_in_again";
import type { State } from "../state/values";
import { text } from "../text";

export type Place = {
  readonly review: Review;
  readonly keys: KeyboardOf;
  readonly client: Client;
  readonly pictures: Pictures;
  readonly signIn: SignIn;
  readonly toCanvas: () => void;
};

export const [getPlace, setPlace] = createContext<Place>();

export const keyOfAction = (keymap: Keymap, id: ActionId): string | null => {
  const first = keymap.get(id)?.[0];
  return first === undefined ? null : shownBinding(first);
};

export function tipOf(keymap: Keymap, id: ActionId): string {
  const key = keyOfAction(keymap, id);
  return `${text.actions[id].tooltip}${key === null ? "" : ` (${key})`}`;
}

/** Why somebody's role keeps an action from him; null where it does not. */
export function whyNot({ caller }: Pick<State, "caller">, id: ActionId): string | null {
  const need = needOf(actionOf(id));
  return caller === null || mayDo(need, { caller }) ? null : text.roles.needs(need, caller.scope);
}
