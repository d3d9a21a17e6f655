// The one store: a state, and events that make the next one. `subscribe` is what Svelte's `$store` expects.

import type { StateEvent } from "./events";
import { reduce } from "./reduce";
import { BEGIN, type State } from "./values";

export type Store = {
  readonly get: () => State;
  readonly dispatch: (event: StateEvent) => void;
  /** Told at once, and after every change. */
  readonly subscribe: (run: (state: State) => void) => () => void;
  /** Told of every event with the states around it, before subscribers are. */
  readonly observe: (see: (event: StateEvent, before: State, after: State) => void) => void;
};

export function createStore(begin: State = BEGIN): Store {
  let state = begin;
  const subscribers = new Set<(state: State) => void>();
  const observers: ((event: StateEvent, before: State, after: State) => void)[] = [];
  const dispatch = (event: StateEvent): void => {
    const before = state;
    const after = reduce(before, event);
    state = after;
    for (const see of observers) see(event, before, after);
    // An observer may have dispatched; whoever listens hears of the newest only.
    if (after !== before && state === after) for (const run of subscribers) run(after);
  };
  const subscribe = (run: (state: State) => void): (() => void) => {
    subscribers.add(run);
    run(state);
    return () => void subscribers.delete(run);
  };
  return { get: () => state, dispatch, subscribe, observe: (see) => void observers.push(see) };
}
