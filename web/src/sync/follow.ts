// What others do, as it happens: the log is followed, and masks that are behind are read again. New masks are not in the
// log of reviews: the stream tells on which frames there are some, and the open one is read whole, as it is when the stream
// comes back.

import type { Client } from "../api/client";
import { follow, type Message } from "../api/stream";
import type { Problem } from "../api/problem";
import type { LoggedEventOut, PresenceOut } from "../api/types";
import type { Store } from "../state/store";
import { presentOn } from "./presence";
import { isOwn, mayBeOn, withOwn, type Own, type Put } from "./puts";
import { untilAborted, type Clock } from "./sender";

// Our own events come back as well; within this time the answer that they are ours is there.
const PATIENCE_MS = 60;
const AT_ONCE = 8;
// Jobs save many masks one after the other; and the answer that masks are our own may come after the stream tells of them.
const GATHERED_MS = 200;

export type Follower = {
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Read the open frame again. */
  readonly refresh: (signal: AbortSignal) => Promise<void>;
};

export type FollowerParts = {
  readonly store: Store;
  readonly client: () => Client;
  readonly clock: Clock;
  /** Masks were added somewhere. */
  readonly onPut?: (put: Put) => void;
};

export function createFollower({ store, client, clock, onPut }: FollowerParts): Follower {
  let isCatchingUp = false;
  let own: Own = new Map();
  let puts: readonly Put[] = [];
  store.observe((event) => {
    if (event.type === "entry-saved") own = withOwn(own, event.answer);
    if (event.type === "outbox-synced" && event.event?.type === "entry-saved") own = withOwn(own, event.event.answer);
  });

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const problem = await followOnce(signal);
      if (problem?.kind !== "signed_out") return;
      store.dispatch({ type: "link-changed", link: { state: "signed_out", problem } });
      await untilSignedIn(signal);
    }
  }

  async function untilSignedIn(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const stop = store.subscribe(({ link }) => link.state !== "signed_out" && over.abort());
    await untilAborted(AbortSignal.any([signal, over.signal]));
    stop();
  }

  async function followOnce(signal: AbortSignal): Promise<Problem | null> {
    return follow({
      open: (lastId, stop) => client().call("stream_events", { headers: lastId === null ? {} : { "Last-Event-ID": lastId }, signal: stop }),
      onMessage: (message) => take(message, signal),
      onState: ({ isOpen }) => {
        if (store.get().link.isFollowing === isOpen) return;
        store.dispatch({ type: "link-changed", link: { isFollowing: isOpen } });
        if (isOpen) void refresh(signal);
      },
      signal,
      wait: clock.wait,
    });
  }

  function take({ event, data }: Message, signal: AbortSignal): void {
    if (event === "presence") presentOn(store, JSON.parse(data) as PresenceOut);
    if (event === "record") {
      const put = JSON.parse(data) as Put;
      onPut?.(put);
      void readNew(put, signal);
    }
    if (event !== "review") return;
    store.dispatch({ type: "log-followed", logged: JSON.parse(data) as LoggedEventOut });
    if (behindIn(store).length > 0) void catchUp(signal);
  }

  async function readNew(put: Put, signal: AbortSignal): Promise<void> {
    puts = [...puts, put];
    if (puts.length > 1) return; // somebody waits already
    await clock.wait(GATHERED_MS, signal);
    const gathered = puts;
    puts = [];
    const { frame } = store.get();
    if (frame !== null && gathered.some((one) => !isOwn(own, one) && mayBeOn(one, frame.ref))) await refresh(signal);
  }

  async function catchUp(signal: AbortSignal): Promise<void> {
    if (isCatchingUp) return;
    isCatchingUp = true;
    try {
      for (let waitMs = PATIENCE_MS; behindIn(store).length > 0 && !signal.aborted; waitMs = Math.min(waitMs * 2, 5_000)) {
        await clock.wait(waitMs, signal);
        const ids = behindIn(store);
        if (ids.length > AT_ONCE) await refresh(signal);
        else for (const id of ids) await readOne(id, signal);
      }
    } finally {
      isCatchingUp = false;
    }
  }

  async function readOne(id: string, signal: AbortSignal): Promise<void> {
    const covers = store.get().masks.get(id)?.behind ?? [];
    const answer = await client().call("get_record", { path: { record_id: id }, signal });
    if (answer.ok) store.dispatch({ type: "record-told", record: answer.value, covers });
  }

  async function refresh(signal: AbortSignal): Promise<void> {
    const frame = store.get().frame;
    if (frame === null) return;
    const covers = [...store.get().masks.values()].flatMap((mask) => mask.behind);
    const answer = await client().call("list_frame_records", { path: { frame: frame.id }, query: { status: "any" }, signal });
    if (answer.ok) store.dispatch({ type: "records-told", frame: frame.id, items: answer.value.items, covers });
  }
  return { run, refresh };
}

const behindIn = (store: Store): readonly string[] =>
  [...store.get().masks].filter(([, mask]) => mask.behind.length > 0).map(([id]) => id);
