// What each role may do: the scope that a token must have for an action. Looking is for everybody.

import type { CallerOut } from "../api/types";
import type { State } from "../state/values";
import type { ActionGroup, ActionId } from "./table";

export type Scope = CallerOut["scope"];

const SCOPES: readonly Scope[] = ["read", "annotate", "review", "admin"];
const LOOKING: ReadonlySet<ActionGroup> = new Set<ActionGroup>(["move", "view", "pointer"]);
const ALSO_LOOKING: ReadonlySet<ActionId> = new Set<ActionId>(["skip", "drop", "tool_move", "play"]);

/** The scope that an action needs. */
export function needOf({ id, group }: { readonly id: ActionId; readonly group: ActionGroup }): Scope {
  if (group === "compare") return "review";
  return LOOKING.has(group) || ALSO_LOOKING.has(id) ? "read" : "annotate";
}

/** Whether somebody's token reaches so far; before it is known who asks, everything is offered. */
export const mayDo = (scope: Scope, { caller }: Pick<State, "caller">): boolean =>
  caller === null || SCOPES.indexOf(caller.scope) >= SCOPES.indexOf(scope);
