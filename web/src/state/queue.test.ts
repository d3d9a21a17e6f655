import { expect, test } from "vitest";
import type { Answer } from "../api/problem";
import { encodeRle, decodeRle } from "../masks/rle";
import { boxPatch } from "../masks/algebra";
import { memoryStorage } from "../sync/storage";
import { memoryTabs } from "../sync/tabs";
import { chanceOf, FakeServer, FRAME, good, turns, type LooseAsked } from "../sync/testing";
import { currentItem, isHidden, numLeft } from "./people";
import { createReview, type Review } from "./review";

/** A server with three masks, all of them in a queue that has pages of two. */
function serverWith(method: "sam_raw" | "human_drawn" = "sam_raw"): FakeServer {
  const server = new FakeServer(chanceOf(1));
  ["a", "b", "c"].forEach((id) => server.put(id, method));
  server.others.set("get_queue", ({ query }: LooseAsked): Answer<unknown> => {
    const cursor = query?.["cursor"];
    const begin = cursor === undefined ? 0 : Number(cursor) + 1;
    const records = server.records();
    const items = records.slice(begin, begin + 2).map((record, i) => ({ record, frame: FRAME.id, value: 0.5, cursor: String(begin + i), reasons: [] }));
    return good({ items, next_cursor: begin + 2 < records.length ? String(begin + 1) : null, num_left: records.length - begin });
  });
  return server;
}

async function open(server: FakeServer, name = "bob"): Promise<Review> {
  let [now, numIds] = [1_000, 0];
  const review = createReview({
    client: () => server.client(name),
    caller: { name, scope: "annotate", store: "s" },
    models: ["tiny"],
    storage: memoryStorage(),
    tabs: memoryTabs().tab("tab"),
    clock: { now: () => (now += 1), random: () => 0.5, wait: (_, signal) => (signal.aborted ? Promise.resolve() : turns(2)) },
    newId: () => `new${++numIds}`,
    isShown: () => true,
    codec: { encode: async (patch) => encodeRle(patch), decode: async (rles) => rles.map(decodeRle) },
  });
  review.start();
  await review.frames.list();
  await turns(3);
  return review;
}

const people = (review: Review) => review.store.get().people;
const here = (review: Review): string | undefined => currentItem(people(review))?.recordId;

test("a queue opens each mask's frame, selects it, and goes on with every decision, over pages, to its end", async () => {
  const server = serverWith();
  const review = await open(server);

  await review.queue.start("uncertain");
  expect([here(review), review.store.get().selection, numLeft(people(review))]).toEqual(["a", ["a"], 3]);
  review.perform("accept");
  await turns(20);
  expect([here(review), review.store.get().selection, numLeft(people(review))]).toEqual(["b", ["b"], 2]);
  review.perform("skip");
  await turns(20);
  expect([here(review), numLeft(people(review))]).toEqual(["c", 1]);
  review.decide.reject(["c"], "blurred");
  await turns(20);

  expect([here(review), numLeft(people(review))]).toEqual([undefined, 0]);
  expect(server.lines.map(({ event }) => [event.record_id, event.action.kind])).toEqual([["a", "Accept"], ["c", "Reject"]]);
  expect(review.store.get().notices.map((one) => one.id)).toContain("queue");
  review.stop();
});

test("the address has the place in a queue, which is gone on from", async () => {
  const server = serverWith();
  const first = await open(server);
  await first.queue.start("audit", { seed: 7 });
  await first.queue.next();
  const { queue } = people(first);
  first.stop();

  const second = await open(server);
  second.store.dispatch({ type: "people-changed", people: { queue, walk: null } });
  await second.queue.resume();

  expect(queue).toEqual({ name: "audit", seed: 7, after: "0", isBlind: false });
  expect(here(second)).toBe("b");
  await second.queue.previous();
  second.queue.leave();
  expect([people(second).queue, people(second).walk]).toEqual([null, null]);
  second.stop();
});

test("a blind second look has the mask in hand as it was put, and hides what the first decided", async () => {
  const server = serverWith();
  const ann = await open(server, "ann");
  await ann.frames.open(FRAME.id);
  const drawn = { kind: "RLE", ...encodeRle(boxPatch(FRAME.size_hw, [0, 0, 16, 12])) } as const;
  const etag = server.records()[0]?.etag ?? "";
  await server.client("ann").call("add_events", {
    headers: { "Idempotency-Key": "k" },
    body: { events: [{ record_id: "a", action: { kind: "Edit", rle: drawn } }, { record_id: "a", action: { kind: "Accept" } }], if_match: { a: etag } },
  });
  ann.stop();
  server.others.set("list_record_versions", () =>
    good({ items: [], pairs: [{ record_id: "a", frame: FRAME.id, first: "ann", second: "bob", iou: 0.04, difference: "pixels", labels: ["cup", "cup"], settled_by: null }], same_iou: 0.9 }),
  );
  const bob = await open(server);

  await bob.queue.start("second_look", { isBlind: true });
  const state = bob.store.get();
  expect(state.hand?.base).toBe("a");
  expect(state.hand?.draft.work.patch.box).toEqual([1, 1, 3, 3]);
  expect([isHidden(state.people, "a"), isHidden(state.people, "b")]).toEqual([true, false]);
  bob.perform("commit");
  await turns(60);

  expect(server.lines.slice(-2).map(({ event }) => event.action.kind)).toEqual(["Edit", "Accept"]);
  expect(people(bob).lastLook).toEqual({ recordId: "a", other: "ann", iou: 0.04, difference: "pixels" });
  expect(here(bob)).toBe("b");
  bob.stop();
});

test("of a mask that was drawn by hand a blind second look shows what the model makes of its box, and not its pixels", async () => {
  const server = serverWith("human_drawn");
  const record = server.records()[0]?.record;
  const asked: unknown[] = [];
  server.others.set("segment", ({ body }: LooseAsked) => {
    asked.push(body);
    const rle = { kind: "RLE", ...encodeRle(boxPatch(FRAME.size_hw, [0, 0, 5, 5])) };
    return good({ masks: [{ record: { ...record, id: "answer", rle } }] });
  });
  const bob = await open(server);

  await bob.queue.start("second_look", { isBlind: true });
  expect(bob.store.get().hand?.draft.work.patch.box).toEqual([0, 0, 0, 0]);
  await turns(20);

  expect(asked).toMatchObject([{ prompts: [{ kind: "BoxPrompt", box_xyxy: record?.box_xyxy }] }]);
  expect(bob.store.get().hand?.base).toBe("a");
  expect(bob.store.get().hand?.draft.work.patch.box).toEqual([0, 0, 5, 5]);
  bob.stop();
});

test("what is said about a mask leaves it where it is, and is taken back like anything else", async () => {
  const server = serverWith();
  const review = await open(server);
  await review.frames.open(FRAME.id);
  review.store.dispatch({ type: "selected", ids: ["a"], how: "only" });

  review.decide.comment("is this a cup?");
  const mask = review.store.get().masks.get("a");
  expect(mask?.view.comments.map((one) => [one.actor, one.text])).toEqual([["bob", "is this a cup?"]]);
  expect([mask?.view.status, review.store.get().selection]).toEqual(["proposed", ["a"]]);
  await turns(20);
  expect(server.records()[0]?.comments).toHaveLength(1);
  review.perform("undo");
  await turns(20);

  expect(server.records()[0]?.comments).toEqual([]);
  review.stop();
});

test("taking somebody's version brings the mask to it, whichever frame it is on", async () => {
  const server = serverWith();
  const review = await open(server);
  await review.frames.open(FRAME.id);
  const [record] = server.records();
  if (record === undefined) throw new Error("no record");
  const rle = { kind: "RLE", ...encodeRle(boxPatch(FRAME.size_hw, [5, 5, 9, 9])) } as const;

  review.decide.takeVersion("take_first", record, "elsewhere", { rle, label: "mug" }, [record]);
  await turns(20);
  expect(server.records()[0]).toMatchObject({ status: "accepted", record: { label: "mug", rle: { counts: rle.counts } } });
  const [now] = server.records();
  if (now === undefined) throw new Error("no record");
  review.decide.takeVersion("take_second", now, "elsewhere", { rle: null, label: "mug" }, [now]);
  await turns(20);

  expect(server.records()[0]?.status).toBe("rejected");
  expect(server.lines.map(({ event }) => event.action.kind)).toEqual(["Edit", "Relabel", "Accept", "Reject"]);
  review.stop();
});
