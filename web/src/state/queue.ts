// Walks a queue: opens the next mask's frame, selects the mask and shows it, across frames; decisions go on with it. Where
// one is in it stands in the address, so it can be left and come back to.

import type { Client } from "../api/client";
import { involved } from "../sync/entry";
import { text } from "../text";
import { currentItem, NO_WALK, type People, type QueueChoice, type QueueItem, type Walk } from "./people";
import { visibleMasks } from "./select";
import type { Store } from "./store";
import { NO_FILTER, type Mask } from "./values";

export type QueueParts = {
  readonly store: Store;
  readonly client: () => Client;
  readonly openFrame: (id: string) => Promise<void>;
  /** Take a record in hand as it was put, whatever was done to it since. */
  readonly takeAsPut: (id: string) => Promise<void>;
};

export type Queue = ReturnType<typeof createQueue>;

const PAGE = 50;

export function createQueue({ store, client, openFrame, takeAsPut }: QueueParts) {
  const people = (): People => store.get().people;
  const change = (given: Partial<People>): void => store.dispatch({ type: "people-changed", people: given });
  const choose = (given: Partial<QueueChoice>): void => {
    const { queue } = people();
    if (queue !== null) change({ queue: { ...queue, ...given } });
  };

  function notice(kind: "note" | "problem", message: string): void {
    store.dispatch({ type: "noticed", notice: { id: "queue", kind, text: message } });
  }

  /** Begin a queue, at its beginning. */
  async function start(name: QueueChoice["name"], given: Partial<QueueChoice> = {}): Promise<void> {
    change({ view: "work", queue: { name, seed: 0, after: null, isBlind: false, ...given }, walk: null, lastLook: null });
    await load(null);
  }

  /** Go on where the address says. */
  async function resume(): Promise<void> {
    const { queue, walk } = people();
    if (queue !== null && walk === null) await load(queue.after);
  }

  async function load(after: string | null): Promise<void> {
    const { queue } = people();
    if (queue === null) return;
    const walk: Walk = { ...NO_WALK };
    change({ walk });
    const query = { limit: PAGE, seed: queue.seed, ...(after === null ? {} : { cursor: after }) };
    const answer = await client().call("get_queue", { path: { name: queue.name }, query });
    if (people().walk !== walk) return; // another was begun, or this one left
    if (!answer.ok) {
      leave();
      return notice("problem", text.problem(answer.problem));
    }
    const { items: found, next_cursor, num_left } = answer.value;
    const items = found.map(({ record, frame, cursor, value, reasons }): QueueItem => ({ recordId: record.record.id, frame, cursor, value, reasons }));
    change({ walk: { items, place: 0, nextCursor: next_cursor, numLeft: num_left, isLoading: false } });
    if (items.length === 0) ended();
    else await show();
  }

  async function show(): Promise<void> {
    const item = currentItem(people());
    if (item === null) return;
    await visit(item.frame, item.recordId);
    if (currentItem(people()) !== item) return;
    const { queue } = people();
    if (queue?.name === "second_look" && queue.isBlind) await takeAsPut(item.recordId);
  }

  /** Open a mask: its frame, and the mask selected and in the middle. */
  async function visit(frame: string, recordId: string): Promise<void> {
    if (people().view !== "work") change({ view: "work" });
    if (frame !== store.get().frame?.id || !store.get().isFrameLoaded) await openFrame(frame);
    const mask = store.get().masks.get(recordId);
    if (mask === undefined) return;
    showWhatIsFiltered(mask);
    store.dispatch({ type: "hand-dropped" });
    store.dispatch({ type: "selected", ids: [recordId], how: "only" });
  }

  function showWhatIsFiltered({ view }: Mask): void {
    const state = store.get();
    if (visibleMasks(state).some((one) => one.view.record.id === view.record.id)) return;
    const statuses = [...new Set([...state.filter.statuses, view.status])];
    store.dispatch({ type: "filter-changed", filter: { ...NO_FILTER, statuses } });
  }

  /** Go on to the next mask of the queue. */
  async function next(): Promise<void> {
    const { walk } = people();
    const item = currentItem(people());
    if (walk === null || walk.isLoading) return;
    choose({ after: item?.cursor ?? people().queue?.after ?? null });
    if (walk.place + 1 < walk.items.length) {
      change({ walk: { ...walk, place: walk.place + 1 } });
      await show();
    } else if (walk.nextCursor !== null) await load(walk.nextCursor);
    else {
      change({ walk: { ...walk, place: walk.items.length } });
      ended();
    }
  }

  async function previous(): Promise<void> {
    const { walk } = people();
    if (walk === null || walk.place === 0) return;
    const place = walk.place - 1;
    change({ walk: { ...walk, place } });
    choose({ after: walk.items[place - 1]?.cursor ?? null });
    await show();
  }

  function ended(): void {
    store.dispatch({ type: "selected", ids: [], how: "only" });
    notice("note", text.queue.over);
  }

  function leave(): void {
    change({ queue: null, walk: null, lastLook: null });
  }

  /** After a decision about some masks: go on, if one of them is the queue's. False if it is not the queue's business. */
  function goesOn(ids: readonly string[]): boolean {
    const item = currentItem(people());
    if (item === null || !ids.includes(item.recordId)) return false;
    if (people().queue?.name === "second_look") void compareLater(item.recordId);
    void next();
    return true;
  }

  /** Once the server has a second look, say how it compares with the first. */
  async function compareLater(recordId: string): Promise<void> {
    change({ lastLook: null });
    await sent(recordId);
    const answer = await client().call("list_record_versions", { path: { record_id: recordId } });
    const me = store.get().caller?.name;
    if (!answer.ok || me === undefined || people().queue?.name !== "second_look") return;
    const pair = answer.value.pairs.findLast((one) => one.first === me || one.second === me);
    if (pair === undefined) return;
    const other = pair.first === me ? pair.second : pair.first;
    change({ lastLook: { recordId, other, iou: pair.iou, difference: pair.difference } });
  }

  function sent(recordId: string): Promise<void> {
    const isWaiting = (): boolean => store.get().outbox.waiting.some((entry) => involved(entry).includes(recordId));
    return new Promise((resolve) => {
      const stop = store.subscribe(() => {
        if (!isWaiting()) queueMicrotask(() => (stop(), resolve()));
      });
    });
  }
  const isCurrent = (recordId: string | null): boolean => recordId !== null && currentItem(people())?.recordId === recordId;
  return { start, resume, next, previous, leave, visit, goesOn, isCurrent };
}
