import { expect, test } from "vitest";
import type { Client } from "../api/client";
import { imagePoint } from "../geometry/coords";
import { boxPatch } from "../masks/algebra";
import { decodeRle, encodeRle } from "../masks/rle";
import { memoryStorage, type Storage } from "../sync/storage";
import { memoryTabs } from "../sync/tabs";
import { CALM, chanceOf, FakeServer, FRAME, good, recordOfTest, turns } from "../sync/testing";
import { change, newDraft, type Question } from "../tools/draft";
import { stepTool } from "../tools/step";
import { createReview, type Review } from "./review";
import { countsOf, mayLeave, syncState } from "./select";

let numIds = 0;
const SIZE = FRAME.size_hw;
const SQUARE = boxPatch(SIZE, [2, 2, 8, 8]);

function serverWith(...ids: readonly string[]): FakeServer {
  const server = new FakeServer(chanceOf(1));
  ids.forEach((id) => server.put(id));
  return server;
}

type Place = { readonly storage: Storage; readonly hub: ReturnType<typeof memoryTabs>; readonly tab: string };
const placeOf = (): Place => ({ storage: memoryStorage(), hub: memoryTabs(), tab: "tab" });

async function open(client: Client, place: Place = placeOf(), name = "ann"): Promise<Review> {
  let now = 1_000;
  const review = createReview({
    client: () => client,
    caller: { name, scope: "annotate", store: "s" },
    models: ["tiny"],
    storage: place.storage,
    tabs: place.hub.tab(place.tab),
    clock: { now: () => (now += 1), random: () => 0.5, wait: (_, signal) => (signal.aborted ? Promise.resolve() : turns(2)) },
    newId: () => `new${++numIds}`,
    isShown: () => true,
    codec: { encode: async (patch) => encodeRle(patch), decode: async (rles) => rles.map(decodeRle) },
  });
  review.start();
  await turns(3);
  await review.frames.list();
  await review.frames.open(FRAME.id);
  await turns(3);
  return review;
}

async function close(review: Review, place: Place): Promise<void> {
  await review.settled();
  review.stop();
  place.hub.close(place.tab);
  await turns(3);
}

const statusOf = (review: Review, id: string): string | undefined => review.store.get().masks.get(id)?.view.status;
const kinds = (server: FakeServer): readonly string[] => server.lines.map(({ event }) => `${event.record_id} ${event.action.kind}`);
const select = (review: Review, ...ids: readonly string[]): void => review.store.dispatch({ type: "selected", ids, how: "only" });

test("accepting shows at once, goes on to the next mask, and is saved", async () => {
  const server = serverWith("a", "b");
  const review = await open(server.client("ann"));
  select(review, "a");

  review.perform("accept");

  expect(statusOf(review, "a")).toBe("accepted");
  expect(review.store.get().selection).toEqual(["b"]);
  expect(syncState(review.store.get())).toEqual({ kind: "saving", waiting: 1 });
  await turns(10);
  expect(syncState(review.store.get())).toEqual({ kind: "saved" });
  expect(kinds(server)).toEqual(["a Accept"]);
  review.stop();
});

test("undo and redo append to the log, and show at once", async () => {
  const server = serverWith("a");
  const review = await open(server.client("ann"));
  select(review, "a");
  review.perform("accept");
  await turns(10);

  review.perform("undo");
  await turns(1);
  expect(statusOf(review, "a")).toBe("proposed");
  await turns(10);
  review.perform("redo");
  await turns(10);

  expect(statusOf(review, "a")).toBe("accepted");
  expect(kinds(server)).toEqual(["a Accept", "a Revert", "a Revert"]);
  expect(server.records()[0]?.status).toBe("accepted");
  review.stop();
});

test("what was done before a reload can be undone after it", async () => {
  const server = serverWith("a");
  const place = placeOf();
  const first = await open(server.client("ann"), place);
  select(first, "a");
  first.decide.relabel("lid");
  first.perform("accept");
  await turns(10);
  await close(first, place);

  const second = await open(server.client("ann"), place);
  second.perform("undo");
  await turns(10);
  expect(statusOf(second, "a")).toBe("proposed");
  second.perform("undo");
  await turns(10);

  expect(second.store.get().masks.get("a")?.view.record.label).toBe("cup");
  expect(server.records()[0]).toMatchObject({ status: "proposed", record: { label: "cup" } });
  second.stop();
});

test("what is done while the server is away is kept across a reload, and sent when it is back", async () => {
  const server = serverWith("a", "b");
  const place = placeOf();
  const first = await open(server.client("ann"), place);
  server.weather = { ...CALM, lostRequest: 1 };
  select(first, "a");
  first.perform("accept");
  first.perform("reject");
  await turns(10);
  expect(syncState(first.store.get())).toMatchObject({ kind: "offline", waiting: 2 });
  expect(mayLeave(first.store.get())).toBe(true);
  await close(first, place);

  server.weather = CALM;
  const second = await open(server.client("ann"), place);
  await turns(20);

  expect(kinds(server)).toEqual(["a Accept", "b Reject"]);
  expect(countsOf(second.store.get())).toMatchObject({ accepted: 1, rejected: 1 });
  second.stop();
});

test("a mask that a hand drew is saved as accepted, undone as rejected, and comes back with redo", async () => {
  const server = serverWith();
  const review = await open(server.client("ann"));
  review.onDraft(change(newDraft(SIZE), SQUARE), []);
  review.decide.relabel("box");

  review.perform("commit");
  await turns(10);

  const made = server.records()[0];
  expect(made).toMatchObject({ status: "accepted", record: { label: "box", area: 36, provenance: { method: "human_drawn" } } });
  expect(review.store.get()).toMatchObject({ hand: null, selection: [made?.record.id] });
  expect(review.store.get().patches.get(made?.record.id ?? "")?.patch).toBe(SQUARE);
  review.perform("undo");
  await turns(10);
  expect(server.records()[0]?.status).toBe("rejected");
  review.perform("redo");
  await turns(10);
  expect(server.records()[0]?.status).toBe("accepted");
  review.stop();
});

test("what a model drew is saved as it drew it, and what a hand did to it is an edit", async () => {
  const server = serverWith();
  const proposal = recordOfTest("candidate", encodeRle(boxPatch(SIZE, [0, 0, 5, 5])));
  server.others.set("segment", () => good({ image_digest: "", size_hw: SIZE, masks: [{ record: proposal, prompt: 0, png: null, polygons: null }] }));
  const review = await open(server.client("ann"));
  const click = { kind: "click", at: imagePoint(3, 3), positive: true, isQueued: false } as const;
  const { draft, effects } = stepTool("click", newDraft(SIZE), click);
  review.onDraft(draft, effects);
  await turns(10);

  const hand = review.store.get().hand;
  if (hand === null) throw new Error("nothing in hand");
  review.onDraft(change(hand.draft, SQUARE), []);
  review.perform("commit");
  await turns(10);

  const [made] = server.records();
  expect(server.saves[0]?.record.rle.counts).toBe(proposal.rle.counts);
  expect(made).toMatchObject({ status: "accepted", edited_by: "ann", record: { area: 36, provenance: { method: "sam_raw" } } });
  review.stop();
});

test("the mask in hand comes back after a reload, with its undo", async () => {
  const server = serverWith("a");
  const place = placeOf();
  const first = await open(server.client("ann"), place);
  first.take("a");
  const begun = first.store.get().hand?.draft.work.patch;
  first.onDraft(change(first.store.get().hand?.draft ?? newDraft(SIZE), SQUARE), []);
  await close(first, place);

  const second = await open(server.client("ann"), place);
  expect(second.store.get().hand?.base).toBe("a");
  expect(second.store.get().hand?.draft.work.patch).toEqual(SQUARE);
  second.perform("undo");

  expect(second.store.get().hand?.draft.work.patch).toEqual(begun);
  second.perform("drop");
  await close(second, place);
  const third = await open(server.client("ann"), place);
  expect(third.store.get().hand).toBeNull();
  third.stop();
});

test("what others decide shows without asking", async () => {
  const server = serverWith("a");
  const [ann, bob] = [await open(server.client("ann")), await open(server.client("bob"), placeOf(), "bob")];
  select(bob, "a");

  bob.perform("reject");
  await turns(60);

  expect(statusOf(ann, "a")).toBe("rejected");
  expect(ann.store.get().masks.get("a")?.behind).toEqual([]);
  ann.stop();
  bob.stop();
});

async function inConflict(): Promise<{ server: FakeServer; review: Review; key: string }> {
  const server = serverWith("a", "b");
  const review = await open(server.client("ann"));
  const etag = server.records()[0]?.etag ?? "";
  const edit = { record_id: "a", action: { kind: "Edit", rle: { kind: "RLE", ...encodeRle(SQUARE) } } } as const;
  await server.client("bob").call("add_events", { headers: { "Idempotency-Key": "bob1" }, body: { events: [edit], if_match: { a: etag } } });
  select(review, "a");
  review.perform("accept");
  review.decide.relabel("lid", ["a"]);
  await turns(20);
  const key = review.store.get().outbox.held[0]?.entry.key ?? "";
  return { server, review, key };
}

test("two who change the same mask are told, and nothing is lost before one has chosen", async () => {
  const { server, review } = await inConflict();

  const { outbox } = review.store.get();
  expect(syncState(review.store.get())).toEqual({ kind: "held", held: 1, waiting: 1 });
  expect(outbox.held[0]?.why).toMatchObject({ kind: "conflict", theirs: { a: { edited_by: "bob" } } });
  expect(kinds(server)).toEqual(["a Edit"]);
  review.stop();
});

test("of a conflict mine can be kept, with what came after it", async () => {
  const { server, review, key } = await inConflict();

  review.settle(key, "keep");
  await turns(20);

  expect(kinds(server)).toEqual(["a Edit", "a Accept", "a Relabel"]);
  expect(syncState(review.store.get())).toEqual({ kind: "saved" });
  review.stop();
});

test("of a conflict theirs can be taken, and mine cannot be undone then", async () => {
  const { server, review, key } = await inConflict();

  review.settle(key, "let_go");
  await turns(20);

  expect(kinds(server)).toEqual(["a Edit"]);
  expect(review.store.get().undo.past).toEqual([]);
  expect(review.store.get().masks.get("a")?.view).toMatchObject({ status: "proposed", edited_by: "bob", record: { label: "cup" } });
  review.stop();
});

test("many are accepted at once, and undone at once", async () => {
  const ids = Array.from({ length: 1200 }, (_, i) => `m${i}`);
  const server = serverWith(...ids);
  const review = await open(server.client("ann"));

  review.perform("accept_visible");
  await turns(20);
  expect(countsOf(review.store.get()).accepted).toBe(1200);
  expect(server.lines.length).toBe(1200);
  review.perform("undo");
  await turns(20);
  review.perform("undo");
  await turns(20);

  expect(server.records().every((one) => one.status === "proposed")).toBe(true);
  review.stop();
}, 30_000);

test("masks merge with their pixels, and come apart with undo", async () => {
  const server = serverWith("a", "b");
  const review = await open(server.client("ann"));
  select(review, "a", "b");

  review.perform("merge");
  await turns(10);
  expect([statusOf(review, "a"), statusOf(review, "b")]).toEqual(["proposed", "merged"]);
  review.perform("undo");
  await turns(10);

  expect([statusOf(review, "a"), statusOf(review, "b")]).toEqual(["proposed", "proposed"]);
  expect(server.records().map((one) => one.status)).toEqual(["proposed", "proposed"]);
  review.stop();
});

test("a split makes masks of its pieces, and undo makes it whole again", async () => {
  const server = serverWith("a");
  const review = await open(server.client("ann"));

  await review.decide.split("a", [boxPatch(SIZE, [0, 0, 2, 2]), boxPatch(SIZE, [4, 4, 6, 6])]);
  await turns(10);
  expect(countsOf(review.store.get())).toMatchObject({ split: 1, proposed: 2 });
  review.perform("undo");
  await turns(20);

  expect(countsOf(review.store.get())).toMatchObject({ split: 0, proposed: 1, merged: 2 });
  review.stop();
});

test("a question that has no answer is asked again when one wants, and the clicks stay", async () => {
  const server = serverWith();
  server.others.set("segment", () => ({ ok: false, problem: { kind: "unreachable", message: "" } }));
  const review = await open(server.client("ann"));
  const click = { kind: "click", at: imagePoint(3, 3), positive: true, isQueued: false } as const;
  const { draft, effects } = stepTool("click", newDraft(SIZE), click);

  review.onDraft(draft, effects);
  await turns(10);

  const hand = review.store.get().hand;
  expect(hand?.problem).toBe("The server does not answer");
  const again = stepTool("click", hand?.draft ?? newDraft(SIZE), { kind: "runQueue" });
  expect((again.effects[0] as Question).prompts.points).toEqual([{ at: imagePoint(3, 3), positive: true }]);
  review.stop();
});

test("digits name what is selected, and the labels used last come first", async () => {
  const server = serverWith("a", "b");
  const review = await open(server.client("ann"));
  review.store.dispatch({ type: "labels-told", labels: ["lid", "plate"] });
  select(review, "a", "b");

  review.perform("label_2");
  await turns(10);

  expect(server.records().map((one) => one.record.label)).toEqual(["plate", "plate"]);
  expect(review.store.get().recentLabels).toEqual(["plate"]);
  review.stop();
});

test("who else is on the frame is told, without oneself, and is gone with the frame", async () => {
  const review = await open(serverWith("a").client("ann"));
  await turns(5);

  expect(review.store.get().presence).toEqual([{ name: "eve", record: "a" }]);
  review.store.dispatch({ type: "frame-opened", frame: { ...FRAME, id: "another" } });
  expect(review.store.get().presence).toEqual([]);
  review.stop();
});
