// Keeps the address of the page and the state alike: a new frame is a new place to go back to, anything else changes the
// place one is at. Going back opens what was there.

import { queryOf, readQuery, sessionOf, type Session } from "../session_url";
import type { Frames } from "./frames";
import type { PeopleSession } from "../session_people";
import type { People } from "./people";
import type { Store } from "./store";

export type AddressPlaces = {
  readonly location: Pick<Location, "search" | "pathname" | "hash">;
  readonly history: Pick<History, "pushState" | "replaceState">;
  /** Tells when somebody goes back or forward. */
  readonly onPop: (run: () => void) => void;
  /** Runs something so many milliseconds later. */
  readonly later: (run: () => void, ms: number) => void;
  readonly now: () => number;
};

// The address is written at once, so that a page which is closed or loaded again right after a key is where it was. Browsers
// ignore pages that write it more than a hundred times in ten seconds: beyond a few in a row it is written a little later.
const AT_ONCE = 20;
const REFILL_MS = 250;

/** Open what the address says, or the first frame; from then on keep both alike. */
export async function keepAddress(store: Store, frames: Pick<Frames, "open">, places: AddressPlaces): Promise<void> {
  let going: { readonly to: string | null; hasArrived: boolean } | null = null;
  let isDue = false;
  let [left, since] = [AT_ONCE, places.now()];
  let shown = places.location.search;

  async function go(session: Session): Promise<void> {
    const frame = session.frame ?? store.get().frame?.id ?? store.get().frames.items[0]?.id ?? null;
    const way = { to: frame, hasArrived: false };
    going = way;
    store.dispatch({ type: "filter-changed", filter: session.filter });
    store.dispatch({ type: "sort-chosen", sort: session.sort });
    store.dispatch({ type: "tool-chosen", tool: session.tool });
    store.dispatch({ type: "people-changed", people: peopleAt(session.people, store.get().people) });
    if (frame !== null && frame !== store.get().frame?.id) await frames.open(frame);
    if (going !== way) return; // somebody went on meanwhile
    store.dispatch({ type: "selected", ids: session.selection, how: "only" });
    going = null;
    write();
  }

  function write(): void {
    isDue = false;
    if (isUnderWay()) return;
    const session = sessionOf(store.get());
    const query = queryOf(session);
    if (query === shown) return;
    const before = readQuery(shown).frame;
    left -= 1;
    shown = query;
    const url = `${places.location.pathname}${query}${places.location.hash}`;
    if (before !== null && before !== session.frame) places.history.pushState(null, "", url);
    else places.history.replaceState(null, "", url);
  }

  /** Whether the page is on its way to what an address says. Whoever goes elsewhere from there is not. */
  function isUnderWay(): boolean {
    if (going === null) return false;
    if (store.get().frame?.id === going.to) going.hasArrived = true;
    else if (going.hasArrived) going = null;
    return going !== null;
  }

  function changed(): void {
    if (isUnderWay() || isDue) return;
    const refilled = Math.floor((places.now() - since) / REFILL_MS);
    left = Math.min(left + refilled, AT_ONCE);
    since += refilled * REFILL_MS;
    if (left > 0) return write();
    isDue = true;
    places.later(write, REFILL_MS);
  }

  places.onPop(() => {
    shown = places.location.search;
    void go(readQuery(shown));
  });
  const first = go(readQuery(shown));
  store.subscribe(changed);
  await first;
}

/** Who goes back looks around: the queue stays where it is, unless the address has another or none. */
function peopleAt({ view, queue }: PeopleSession, { queue: now }: People): Partial<People> {
  const isSame = queue !== null && queue.name === now?.name && queue.seed === now.seed && queue.isBlind === now.isBlind;
  return isSame ? { view } : { view, queue, walk: null, lastLook: null };
}
