import { expect, test } from "vitest";
import { FRAME } from "../sync/testing";
import { keepAddress } from "./address";
import { asPut } from "./resolve";
import { recordOfTest, RLES } from "../sync/testing";
import { createStore, type Store } from "./store";

const frame = (id: string) => ({ ...FRAME, id });

let store_: Store;

async function begin(search: string, meanwhile: () => Promise<void> = async () => undefined) {
  const store = createStore();
  store_ = store;
  store.dispatch({ type: "frames-told", items: [frame("f1"), frame("f2")], nextCursor: null, isFirst: true });
  const done: string[] = [];
  const due: (() => void)[] = [];
  let now = 1000;
  const location = { search, pathname: "/", hash: "#x" };
  let back = (): void => undefined;
  const go = (kind: string) => (_: unknown, __: string, url?: string | URL | null) => {
    done.push(`${kind} ${url}`);
    location.search = /\?[^#]*/.exec(String(url))?.[0] ?? "";
  };
  const open = async (id: string): Promise<void> => {
    store.dispatch({ type: "frame-opened", frame: frame(id) });
    const items = ["a", "b"].map((one) => asPut(recordOfTest(one, RLES[0] ?? { size_hw: [1, 1], counts: "1" })));
    store.dispatch({ type: "records-told", frame: id, items, covers: [] });
    await meanwhile();
  };
  await keepAddress(store, { open }, {
    location,
    history: { pushState: go("push"), replaceState: go("replace") },
    onPop: (run) => void (back = run),
    later: (run) => void due.push(run),
    now: () => now,
  });
  const later = (ms: number): void => {
    now += ms;
    due.splice(0).forEach((run) => run());
  };
  return { store, open, done, location, later, back: () => back() };
}

test("an address opens its frame, selection and tool", async () => {
  const { store, done } = await begin("?frame=f2&mask=b&tool=brush");

  expect(store.get()).toMatchObject({ frame: { id: "f2" }, selection: ["b"], tool: "brush" });
  expect(done).toEqual([]);
});

test("a page without an address opens the first frame, and says so without a new place", async () => {
  const { store, done } = await begin("");

  expect(store.get().frame?.id).toBe("f1");
  expect(done).toEqual(["replace /?frame=f1#x"]);
});

test("frames are places to go back to, selections are not, and each is written at once", async () => {
  const { store, open, done, location, back } = await begin("?frame=f1");
  store.dispatch({ type: "selected", ids: ["a"], how: "only" });
  store.dispatch({ type: "selected", ids: ["b"], how: "only" });
  await open("f2");
  expect(done).toEqual(["replace /?frame=f1&mask=a#x", "replace /?frame=f1&mask=b#x", "push /?frame=f2#x"]);

  location.search = "?frame=f1&mask=b";
  back();
  await Promise.resolve();
  await Promise.resolve();

  expect(store.get()).toMatchObject({ frame: { id: "f1" }, selection: ["b"] });
});

test("whoever goes on before a frame is there altogether is not brought back, and finds it in the address", async () => {
  const { store, done } = await begin("?frame=f1&mask=b", async () => {
    await Promise.resolve();
    store_.dispatch({ type: "frame-opened", frame: frame("f2") });
  });

  expect(store.get()).toMatchObject({ frame: { id: "f2" }, selection: [] });
  expect(done).toEqual(["push /?frame=f2#x"]);
});

test("a key that is held down does not write the address more often than browsers allow, and its last change is written", async () => {
  const { store, done, later } = await begin("?frame=f1");
  for (let i = 0; i < 101; i += 1) store.dispatch({ type: "selected", ids: [i % 2 === 0 ? "a" : "b"], how: "only" });
  expect(done.length).toBe(20);

  later(250);

  expect(done.length).toBe(21);
  expect(done.at(-1)).toBe("replace /?frame=f1&mask=a#x");
  later(10_000);
  store.dispatch({ type: "selected", ids: ["b"], how: "only" });
  expect(done.at(-1)).toBe("replace /?frame=f1&mask=b#x");
});
