// Keeps the address of the page and the state alike: a new frame is a new place to go back to, anything else changes the
// place one is at. Going back opens what was there.

import { queryOf, readQuery, sessionOf, type Session } from "../session_url";
import type { Frames } from "./frames";
import type { Store } from "./store";

export type AddressPlaces = {
  readonly location: Pick<Location, "search" | "pathname" | "hash">;
  readonly history: Pick<History, "pushState" | "replaceState">;
  /** Tells when somebody goes back or forward. */
  readonly onPop: (run: () => void) => void;
  /** Runs something a little later, so that quick changes are written once. */
  readonly later: (run: () => void) => void;
};

/** Open what the address says, or the first frame; from then on keep both alike. */
export async function keepAddress(store: Store, frames: Pick<Frames, "open">, places: AddressPlaces): Promise<void> {
  let [isGoing, isDue] = [false, false];
  let shown = places.location.search;

  async function go(session: Session): Promise<void> {
    isGoing = true;
    const frame = session.frame ?? store.get().frame?.id ?? store.get().frames.items[0]?.id ?? null;
    store.dispatch({ type: "filter-changed", filter: session.filter });
    store.dispatch({ type: "sort-chosen", sort: session.sort });
    store.dispatch({ type: "tool-chosen", tool: session.tool });
    if (frame !== null && frame !== store.get().frame?.id) await frames.open(frame);
    store.dispatch({ type: "selected", ids: session.selection, how: "only" });
    isGoing = false;
    write();
  }

  function write(): void {
    isDue = false;
    if (isGoing) return;
    const session = sessionOf(store.get());
    const query = queryOf(session);
    if (query === shown) return;
    const before = readQuery(shown).frame;
    shown = query;
    const url = `${places.location.pathname}${query}${places.location.hash}`;
    if (before !== null && before !== session.frame) places.history.pushState(null, "", url);
    else places.history.replaceState(null, "", url);
  }

  function changed(): void {
    if (isGoing) return;
    // Another frame is written at once, whatever waits to be: a page that is closed now opens there again.
    if (readQuery(shown).frame !== (store.get().frame?.id ?? null)) return write();
    if (isDue) return;
    isDue = true;
    places.later(write);
  }

  places.onPop(() => {
    shown = places.location.search;
    void go(readQuery(shown));
  });
  await go(readQuery(shown));
  store.subscribe(changed);
}
