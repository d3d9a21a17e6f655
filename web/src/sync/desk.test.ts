import { expect, test } from "vitest";
import type { Client } from "../api/client";
import type { EntryKind } from "../state/events";
import { drawnRecord, planEach, planEdit, planMerge, planSave, planSplit, type Maker } from "../state/plan";
import { createStore, type Store } from "../state/store";
import { revertsOf } from "../state/undo";
import { createDesk, type Desk } from "./desk";
import type { Entry } from "./entry";
import { memoryStorage, type Storage } from "./storage";
import { chanceOf, FakeServer, FRAME, pick, RLES, shownBy, STORM, CALM, turns, type Chance } from "./testing";
import { memoryTabs } from "./tabs";

// Two people on one frame, one of them in two tabs, a bad line, tabs that are closed and opened again: whatever happens,
// each thing that was done is in the server's log once, or stands before the person as a question, or was let go by choice.

type Person = {
  readonly name: string;
  readonly storage: Storage;
  readonly hub: ReturnType<typeof memoryTabs>;
  readonly client: Client;
  readonly made: Entry[];
  readonly gone: Entry[];
};
type Tab = { readonly person: Person; readonly id: string; readonly store: Store; readonly desk: Desk; readonly maker: Maker; readonly close: () => void };

let numTabs = 0;
let numIds = 0;

async function open(person: Person, server: FakeServer, chance: Chance, id = `tab${++numTabs}`): Promise<Tab> {
  const store = createStore();
  const tabs = person.hub.tab(id);
  const clock = { now: () => 0, random: chance, wait: (_: number, signal: AbortSignal) => (signal.aborted ? Promise.resolve() : turns(2)) };
  const tidy = (gone: readonly Entry[]): readonly Entry[] => {
    person.gone.push(...gone);
    return [];
  };
  const desk = createDesk({ store, client: () => person.client, storage: person.storage, tabs, clock, tidy });
  const leaving = new AbortController();
  let order = 0;
  const maker: Maker = {
    newId: () => `id${++numIds}`,
    at: () => "2026-01-02T03:04:05Z",
    order: () => {
      const { waiting, held } = store.get().outbox;
      const known = [...waiting, ...held.map((one) => one.entry)].map((one) => one.order + 1);
      order = Math.floor(Math.max(order + 1, ...known)) + (numTabs % 1000) / 1000;
      return order;
    },
    actor: person.name,
  };
  store.dispatch({ type: "frame-opened", frame: FRAME });
  void desk.start(leaving.signal);
  await turns(3);
  store.dispatch({ type: "records-told", frame: FRAME.id, items: server.records(), covers: [] });
  const close = (): void => {
    leaving.abort();
    person.hub.close(id);
  };
  return { person, id, store, desk, maker, close };
}

function add(tab: Tab, entries: readonly Entry[], kind: EntryKind = { name: "do" }): void {
  if (entries.length === 0) return;
  tab.person.made.push(...entries);
  tab.store.dispatch({ type: "entries-added", entries, kind });
}

function act(tab: Tab, server: FakeServer, chance: Chance): void {
  const { store, maker } = tab;
  const state = store.get();
  const listed = [...state.masks.values()].filter(({ view }) => view.status === "proposed" || view.status === "accepted");
  const ids = listed.map(({ view }) => view.record.id);
  const others = ids.length > 2 ? ids.slice(0, 2) : [];
  const id = ids.length > 0 ? pick(chance, ids) : null;
  const options: readonly (() => void)[] = [
    () => id && add(tab, planEach(state, maker, "accept", [id], { kind: "Accept" })),
    () => id && add(tab, planEach(state, maker, "reject", [id], { kind: "Reject", reason: null })),
    () => id && add(tab, planEach(state, maker, "relabel", [id], { kind: "Relabel", label: pick(chance, ["a", "b", null]) })),
    () => id && add(tab, planEach(state, maker, "edit", [id], { kind: "Edit", rle: pick(chance, RLES) })),
    () => add(tab, planEach(state, maker, "accept", ids, { kind: "Accept" })),
    () => add(tab, planEach(state, maker, "relabel", ids, { kind: "Relabel", label: "all" })),
    () => id && others[0] && id !== others[0] && add(tab, planMerge(state, maker, id, [others[0]], pick(chance, RLES))),
    () => id && ids.length < 8 && add(tab, planSplit(state, maker, id, [pick(chance, RLES), pick(chance, RLES)])),
    () => ids.length < 8 && add(tab, [planSave(state, maker, "commit", [drawnRecord(FRAME, maker, pick(chance, RLES), null, [])], maker.newId())]),
    () => takeBack(tab, "undo"),
    () => takeBack(tab, "undo"),
    () => takeBack(tab, "redo"),
    () => settle(tab, chance),
    () => tab.desk.wake(),
    () => store.dispatch({ type: "records-told", frame: FRAME.id, items: structuredClone(server.records()), covers: [] }),
  ];
  pick(chance, options)();
}

function takeBack(tab: Tab, kind: "undo" | "redo"): void {
  const { store, maker } = tab;
  const state = store.get();
  const done = kind === "undo" ? state.undo.past.at(-1) : state.undo.future[0];
  if (done === undefined) return;
  const events = revertsOf(done).filter(({ record_id }) => state.masks.has(record_id));
  if (events.length < revertsOf(done).length || events.length === 0) return;
  add(tab, planEdit(state, maker, kind, events, { isAtomic: true }), { name: kind, of: done.group });
}

function settle(tab: Tab, chance: Chance): void {
  const { held } = tab.store.get().outbox;
  if (held.length === 0) return;
  const { entry } = pick(chance, held);
  if (chance() < 0.5) return tab.desk.settle(entry.key, "keep");
  tab.desk.settle(entry.key, "let_go");
}

const rootOf = (entry: { readonly key: string }): string => entry.key.split(".")[0] ?? "";

// Reverts change the name of what they revert on the way; the rest of an action never changes.
function countsOf(entries: readonly Entry[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const entry of entries) {
    const names =
      entry.request.kind === "save"
        ? entry.request.records.map((one) => `${rootOf(entry)} save ${one.id}`)
        : entry.request.events.map((one) => `${rootOf(entry)} ${one.record_id} ${one.action.kind}`);
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

// Reverts of things that were let go, and reverts of those.
function voidReverts({ made, gone }: Person): ReadonlySet<string> {
  const roots = new Set(gone.map(rootOf));
  const found = new Set<string>();
  for (const entry of made) {
    for (const { record_id, action } of entry.request.kind === "edit" ? entry.request.events : []) {
      if (action.kind !== "Revert" || !action.event_id.startsWith("local:")) continue;
      if (!roots.has(rootOf({ key: action.event_id.split(":")[1] ?? "" }))) continue;
      found.add(`${rootOf(entry)} ${record_id} Revert`);
      roots.add(rootOf(entry));
    }
  }
  return found;
}

function inLog(server: FakeServer, person: Person): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const { caller, key, event } of server.lines) if (caller === person.name) count(`${rootOf({ key })} ${event.record_id} ${event.action.kind}`);
  for (const { caller, key, record } of server.saves) if (caller === person.name) count(`${rootOf({ key })} save ${record.id}`);
  return counts;
}

async function story(seed: number, numSteps: number): Promise<void> {
  const chance = chanceOf(seed);
  const server = new FakeServer(chance);
  ["a", "b", "c", "d"].forEach((id) => server.put(id));
  server.weather = STORM;
  const person = (name: string): Person => ({ name, storage: memoryStorage(), hub: memoryTabs(), client: server.client(name), made: [], gone: [] });
  const [ann, bob] = [person("ann"), person("bob")];
  const tabs = [await open(ann, server, chance), await open(ann, server, chance), await open(bob, server, chance)];

  for (let step = 0; step < numSteps; step++) {
    const place = Math.floor(chance() * tabs.length);
    const tab = tabs[place];
    if (tab === undefined) continue;
    if (chance() < 0.06) {
      await tab.desk.settled(); // what is not kept yet is not promised either
      tab.close();
      tabs[place] = await open(tab.person, server, chance, tab.id);
    } else act(tab, server, chance);
    if (chance() < 0.5) await turns(Math.ceil(chance() * 12));
  }

  server.weather = CALM;
  await calm(tabs);
  for (const one of [ann, bob]) {
    const own = tabs.filter((tab) => tab.person === one);
    const { waiting, held } = own[0]?.store.get().outbox ?? { waiting: [], held: [] };
    const stands = countsOf([...waiting, ...held.map((other) => other.entry)]);
    const [log, gone] = [inLog(server, one), countsOf(one.gone)];
    for (const [name, count] of countsOf(one.made)) {
      const found = (log.get(name) ?? 0) + (stands.get(name) ?? 0);
      // What was let go is nowhere, nor what would take it back; of everything else there is as much as was made.
      const isMissing = found < count && !gone.has(name) && !voidReverts(one).has(name);
      if (isMissing || found > count) throw new Error(`seed ${seed}: ${name} was made ${count} times, and is there ${found} times`);
    }
    for (const [name, count] of log) if (count > (countsOf(one.made).get(name) ?? 0)) throw new Error(`seed ${seed}: ${name} is ${count} times in the log`);
    if (held.length === 0) expect(waiting).toEqual([]);
    for (const tab of own) expect(tab.store.get().outbox, `seed ${seed}`).toEqual(own[0]?.store.get().outbox);
  }
  checkViews(tabs, server, seed);
  for (const tab of tabs) tab.close();
}

async function calm(tabs: readonly Tab[]): Promise<void> {
  let last = "";
  for (let round = 0; round < 60; round++) {
    for (const tab of tabs) tab.desk.wake();
    await turns(20);
    const now = JSON.stringify(tabs.map((tab) => tab.store.get().outbox));
    if (now === last) return;
    last = now;
  }
}

// What waits is drawn over what the server has; without anything waiting they are the same.
function checkViews(tabs: readonly Tab[], server: FakeServer, seed: number): void {
  for (const { store } of tabs) {
    store.dispatch({ type: "records-told", frame: FRAME.id, items: server.records(), covers: [...store.get().masks.values()].flatMap((one) => one.behind) });
    const { outbox, masks } = store.get();
    if (outbox.waiting.length + outbox.held.length > 0) continue;
    const truth = new Map(server.records().map((base) => [base.record.id, { ...masks.get(base.record.id), view: base }]));
    expect(shownBy(masks), `seed ${seed}`).toEqual(shownBy(truth as Parameters<typeof shownBy>[0]));
  }
}

test("whatever the line does, every action is in the log once, or is a question, or was let go", async () => {
  for (let seed = 1; seed <= 80; seed++) await story(seed, 40);
}, 60_000);
