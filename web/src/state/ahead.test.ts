import { expect, test } from "vitest";
import type { Client } from "../api/client";
import { decodeRles } from "../masks/rle";
import { CALM, chanceOf, FakeServer, FRAME, turns } from "../sync/testing";
import { createAhead } from "./ahead";
import { createStore } from "./store";

function begin() {
  const server = new FakeServer(chanceOf(1));
  ["a", "b"].forEach((id) => server.put(id));
  server.weather = CALM;
  const client: Client = server.client("ann");
  const store = createStore();
  const ahead = createAhead({ store, client: () => client, decode: async (rles) => decodeRles(rles).patches });
  return { store, ahead };
}
const logged = (record_id: string) => ({
  line: 1,
  touched: [record_id],
  event: { kind: "ReviewEvent", id: "e", record_id, actor: "ben", at: "2026-01-01T00:00:00Z", action: { kind: "Accept" } },
});

test("a frame beside the open one is read and decoded once, and given away once", async () => {
  const { ahead } = begin();
  ahead.prepare(FRAME);
  ahead.prepare(FRAME);
  await turns(10);

  const ready = ahead.take(FRAME.id);

  expect(ready?.items.map((one) => one.record.id)).toEqual(["a", "b"]);
  expect(ready?.patches.map((one) => [one.id, one.patch.box])).toEqual([["a", [1, 1, 3, 3]], ["b", [1, 1, 3, 3]]]);
  expect(ahead.take(FRAME.id)).toBeNull();
});

test("what somebody changed since is forgotten, also while it is being read; a frame of very many masks is not read", async () => {
  const { store, ahead } = begin();
  ahead.prepare(FRAME);
  await turns(10);
  store.dispatch({ type: "log-followed", logged: logged("b") as never });
  expect(ahead.take(FRAME.id)).toBeNull();

  ahead.prepare(FRAME);
  store.dispatch({ type: "log-followed", logged: logged("z") as never });
  await turns(10);
  expect(ahead.take(FRAME.id)).toBeNull();

  ahead.prepare({ ...FRAME, num_masks: { proposed: 5000 } });
  await turns(10);
  expect(ahead.take(FRAME.id)).toBeNull();
});
