// The tabs of one browser that work on the same store: they tell each other what happened to the outbox, and one of them
// sends it. Should two ever send at once (a browser without locks), the keys of entries keep every one single.

import type { OutboxEvent } from "../state/events";
import type { Change } from "./storage";

/** What happened in another tab, and what the sending tab says that entries are now. */
export type TabMessage = { readonly event: OutboxEvent | null; readonly changes: readonly Change[] };

export type Tabs = {
  /** Lasts as long as the tab, across reloads. */
  readonly id: string;
  readonly post: (message: TabMessage) => void;
  readonly listen: (receive: (message: TabMessage) => void) => void;
  /** Run `work` while this tab is the one that sends; resolves when `signal` says that it is over. */
  readonly lead: (work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal) => Promise<void>;
  /** The ids of tabs that are open: what another left behind may be taken up. */
  readonly alive: () => Promise<ReadonlySet<string>>;
};

const TAB = "maskwright.tab";

/** The real tabs. `scope` is the server and annotator. */
export async function browserTabs(scope: string, kept: Pick<Storage, "getItem" | "setItem">, newId: () => string): Promise<Tabs> {
  const name = `maskwright.review.${scope}`;
  const prefix = `${name}.tab.`;
  const locks = "locks" in navigator ? navigator.locks : null; // pages without TLS on another machine have none
  // A tab that was duplicated begins with the other's id.
  const own = kept.getItem(TAB);
  const id = own !== null && (await isTaken(locks, `${prefix}${own}`)) === false ? own : newId();
  if (id !== own) await isTaken(locks, `${prefix}${id}`);
  kept.setItem(TAB, id);
  const channel = channelOf(name);
  return {
    id,
    post: (message) => channel?.postMessage(message),
    listen: (receive) => channel?.addEventListener("message", (message: MessageEvent<TabMessage>) => receive(message.data)),
    lead: async (work, signal) => {
      if (locks === null) return work(signal);
      let hasBegun = false;
      const begun = (): Promise<void> => ((hasBegun = true), work(signal));
      await locks.request(`${name}.sender`, { signal }, begun).catch(() => undefined); // given up while waiting, or refused
      if (!hasBegun && !signal.aborted) await work(signal); // a browser that may keep nothing gives no locks
    },
    alive: async () => {
      const held = (await locks?.query().catch(() => null))?.held ?? [];
      const names = held.map((one) => one.name ?? "").filter((one) => one.startsWith(prefix));
      return new Set([id, ...names.map((one) => one.slice(prefix.length))]);
    },
  };
}

/** Null where the browser lets pages keep nothing: then there is nothing to tell other tabs. */
function channelOf(name: string): BroadcastChannel | null {
  try {
    return new BroadcastChannel(name);
  } catch {
    return null;
  }
}

/** Whether another tab holds a name; if none does, this one holds it from now on. */
function isTaken(locks: LockManager | null, name: string): Promise<boolean> {
  if (locks === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    const hold = (lock: Lock | null): Promise<void> => {
      resolve(lock === null);
      return lock === null ? Promise.resolve() : new Promise(() => undefined);
    };
    void locks.request(name, { ifAvailable: true }, hold).catch(() => resolve(false));
  });
}

/** Tabs in memory, for tests: `tab` opens one, `close` ends it, and the next in line leads. */
export function memoryTabs(): { readonly tab: (id: string) => Tabs; readonly close: (id: string) => void } {
  const receivers = new Map<string, ((message: TabMessage) => void)[]>();
  let turn: Promise<void> = Promise.resolve();
  const tab = (id: string): Tabs => {
    receivers.set(id, []);
    return {
      id,
      post: (message) => {
        for (const [other, list] of receivers) {
          if (other !== id) for (const receive of list) receive(structuredClone(message));
        }
      },
      listen: (receive) => void receivers.get(id)?.push(receive),
      lead: (work, signal) => {
        turn = turn.then(() => (signal.aborted ? undefined : work(signal)));
        return turn;
      },
      alive: async () => new Set(receivers.keys()),
    };
  };
  return { tab, close: (id) => void receivers.delete(id) };
}
