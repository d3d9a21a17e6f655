// Says on which frame this page is, and keeps who else is there. Others hear of it at once through the event stream; who
// says nothing for a while is gone, so it is said again and again as long as the page is looked at.

import type { Client } from "../api/client";
import type { PresenceIn, PresenceOut } from "../api/types";
import type { Store } from "../state/store";
import type { Clock } from "./sender";

const EVERY_MS = 5_000;

/** Tell until the signal says stop; `isShown` says whether anybody looks at the page. */
export async function tellPresence(
  parts: {
    readonly store: Store;
    readonly client: () => Client;
    readonly clock: Clock;
    readonly page: string;
    readonly isShown: () => boolean;
  },
  signal: AbortSignal,
): Promise<void> {
  const { store, client, clock, page, isShown } = parts;
  let [moved, told] = [new AbortController(), ""];
  const place = (): PresenceIn => {
    const { frame, hand } = store.get();
    return { frame: isShown() ? (frame?.id ?? null) : null, record: hand?.base ?? null, page };
  };
  const stopWatching = store.subscribe(() => {
    if (JSON.stringify(place()) !== told) moved.abort();
  });
  while (!signal.aborted) {
    moved = new AbortController();
    const body = place();
    const isNews = JSON.stringify(body) !== told;
    told = JSON.stringify(body);
    if (body.frame !== null || isNews) {
      const answer = await client().call("tell_presence", { body });
      if (answer.ok) presentOn(store, answer.value);
    }
    await clock.wait(EVERY_MS, AbortSignal.any([signal, moved.signal]));
  }
  stopWatching();
  await client().call("tell_presence", { body: { frame: null, page } });
}

/** Take in who is on a frame, if it is the one that is open; without oneself. */
export function presentOn(store: Store, { frame, people }: Pick<PresenceOut, "frame" | "people">): void {
  const { frame: open, caller, presence } = store.get();
  if (open === null || frame !== open.id) return;
  const others = people.filter((one) => one.name !== caller?.name);
  if (JSON.stringify(others) !== JSON.stringify(presence)) store.dispatch({ type: "presence-told", presence: others });
}
