// Keeps the outbox in the browser, tells the other tabs, and has it sent by one of them. An entry is sent once it is kept:
// what the server has seen, the browser remembers too. The tab that sends has the last word on every entry; others only add.

import type { Client } from "../api/client";
import { isShared, type OutboxEvent } from "../state/events";
import type { Store } from "../state/store";
import type { State } from "../state/values";
import type { Entry } from "./entry";
import { changesBetween, readKept } from "./kept";
import { added, letGo } from "./outbox";
import { createSender, untilAborted, type Clock } from "./sender";
import type { Change, Storage } from "./storage";
import type { TabMessage, Tabs } from "./tabs";

export type DeskParts = {
  readonly store: Store;
  readonly client: () => Client;
  readonly storage: Storage;
  readonly tabs: Tabs;
  readonly clock: Clock;
  /** What has to be done about things that were let go: pieces of a split that is not made. */
  readonly tidy?: (gone: readonly Entry[]) => readonly Entry[];
};

export type Desk = {
  /** Read what was kept, and send whenever it is this tab's turn, until the signal says stop. */
  readonly start: (signal: AbortSignal) => Promise<void>;
  /** Read again what is kept: a page that was asleep may have missed what other tabs did. */
  readonly refresh: () => Promise<void>;
  /** Choose about an entry that is held: mine is sent again, or let go. */
  readonly settle: (key: string, choice: "keep" | "let_go") => void;
  /** Try now: the network is back, or somebody has signed in. */
  readonly wake: () => void;
  /** Resolves once everything so far is kept. */
  readonly settled: () => Promise<void>;
};

type Settled = Extract<OutboxEvent, { type: "held-settled" }>;

export function createDesk({ store, client, storage, tabs, clock, tidy }: DeskParts): Desk {
  const unstored = new Set<string>();
  let isLeading = false;
  let isRemote = false;
  let writing: Promise<void> = Promise.resolve();
  let woken = new AbortController();

  const sender = createSender({
    client,
    clock,
    state: store.get,
    dispatch: store.dispatch,
    onLink: (link) => store.dispatch({ type: "link-changed", link }),
    isStored: (key) => !unstored.has(key),
    settled: () => writing,
  });

  store.observe((event, before, after) => {
    if (!isShared(event)) return;
    const changes = changesBetween(before, after);
    if (isRemote) {
      if (isLeading && changes.length > 0) keep(changes, { event: null, changes });
    } else if (isLeading || event.type === "entries-added") {
      const keys = event.type === "entries-added" ? event.entries.map((entry) => entry.key) : [];
      keep(changes, { event, changes: isLeading ? changes : [] }, keys);
    }
    sender.wake();
  });

  function keep(changes: readonly Change[], message: TabMessage, keys: readonly string[] = []): void {
    keys.forEach((key) => unstored.add(key));
    const kept = writing.then(() => storage.write(changes));
    writing = kept
      .then(
        () => true,
        () => false,
      )
      .then((isDurable) => {
        if (store.get().link.isDurable !== isDurable) store.dispatch({ type: "link-changed", link: { isDurable } });
        keys.forEach((key) => unstored.delete(key));
        tabs.post(message);
        sender.wake();
      });
  }

  function settle(key: string, choice: Settled["choice"]): void {
    const event: Settled = { type: "held-settled", key, choice };
    if (isLeading) settleHere(event);
    else tabs.post({ event, changes: [] });
  }

  function settleHere(event: Settled): void {
    const gone = event.choice === "let_go" ? letGo(store.get().outbox, event.key).gone : [];
    store.dispatch(event);
    const entries = gone.length === 0 ? [] : (tidy?.(gone) ?? []);
    if (entries.length > 0) store.dispatch({ type: "entries-added", entries, kind: { name: "tidy" } });
  }

  // What comes while kept things are read is older or newer than these; taken in afterwards, in order, it is right.
  let queue: TabMessage[] | null = null;

  function take({ event, changes }: TabMessage): void {
    if (event?.type === "held-settled" && changes.length === 0) {
      if (isLeading) settleHere(event);
      return;
    }
    if (event?.type === "outbox-restored") {
      if (!isLeading) restore(event);
      return;
    }
    isRemote = true;
    if (changes.length > 0 && !isLeading) store.dispatch({ type: "outbox-synced", event, changes });
    else if (event !== null) store.dispatch(event);
    isRemote = false;
  }
  tabs.listen((message) => (queue === null ? take(message) : void queue.push(message)));

  /** Behind all that is being written, so that nothing is missed in between. */
  function refresh(): Promise<void> {
    writing = writing.then(async () => {
      if (isLeading) return; // it has the last word itself
      queue = [];
      const kept = await readKept(storage).catch(() => null);
      if (kept === null) store.dispatch({ type: "link-changed", link: { isDurable: false } });
      else restore(kept);
      const late = queue;
      queue = null;
      late.forEach(take);
      sender.wake();
    });
    return writing;
  }

  function restore({ outbox, undo }: Pick<State, "outbox" | "undo">): void {
    const fresh = store.get().outbox.waiting.filter((entry) => unstored.has(entry.key));
    const newest = fresh.length === 0 ? undo : store.get().undo;
    store.dispatch({ type: "outbox-restored", outbox: added(outbox, fresh), undo: newest });
  }

  async function lead(signal: AbortSignal): Promise<void> {
    // What the tab before did last may not have been told; what it kept counts, for all.
    await refresh();
    isLeading = true;
    const { outbox, undo } = store.get();
    tabs.post({ event: { type: "outbox-restored", outbox, undo }, changes: [] });
    await sender.run(signal);
    isLeading = false;
  }

  async function start(signal: AbortSignal): Promise<void> {
    await refresh();
    while (!signal.aborted) {
      const awake = woken.signal;
      await tabs.lead(lead, signal);
      await untilAborted(AbortSignal.any([awake, signal])); // signed out: until somebody has signed in again
    }
  }

  function wake(): void {
    sender.wake();
    woken.abort();
    woken = new AbortController();
  }
  return { start, refresh, settle, wake, settled: () => writing };
}
