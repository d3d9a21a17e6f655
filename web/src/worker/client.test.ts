import { expect, test } from "vitest";
import { encodeRle, decodeRle } from "../masks/rle";
import { drawing, randomPatch, seeded } from "../masks/testing";
import { trace } from "../masks/trace";
import { smoothBoundary } from "../masks/cleanup";
import { interpolate } from "../masks/interpolate";
import type { Patch } from "../masks/patch";
import { inlineMaskWorker, startMaskWorker } from "./client";
import { jobs, type Job } from "./jobs";
import type { Kind } from "./base";

const someMasks = (count: number): Patch[] => {
  const random = seeded(7);
  return Array.from({ length: count }, () => randomPatch(random, [20, 20]));
};

test("where there is no worker, the same work is done on this thread", async () => {
  const worker = startMaskWorker();
  const patches = someMasks(300);
  const [a, b] = [patches[0]!, patches[1]!];

  const rles = await worker.ask("encode", patches);

  expect(rles).toEqual(patches.map(encodeRle));
  expect(await worker.ask("decode", rles)).toEqual({ patches: rles.map(decodeRle), problems: [] });
  expect(await worker.ask("trace", patches)).toEqual(patches.map(trace));
  expect(await worker.ask("smooth", { patch: a, sigma: 1 })).toEqual(smoothBoundary(a, 1));
  expect(await worker.ask("interpolate", { from: a, to: b, shares: [0, 0.5] })).toEqual([a, interpolate(a, b, 0.5)]);
  worker.close();
});

test("a mask that cannot be read is a problem with its place, beyond the first step too", async () => {
  const rles = Array.from({ length: 600 }, () => encodeRle(drawing("#. .#")));
  rles[511] = { size_hw: [2, 2], counts: "nonsense ~" };

  const { patches, problems } = await inlineMaskWorker().ask("decode", rles);

  expect(patches.length).toBe(600);
  expect(problems.map((problem) => problem.index)).toEqual([511]);
});

test("an aborted request rejects at once and does not hold up the next", async () => {
  const worker = inlineMaskWorker();
  const rles = someMasks(5000).map(encodeRle);
  const abort = new AbortController();

  const first = worker.ask("decode", rles, abort.signal);
  const waiting = worker.ask("decode", rles, abort.signal);
  abort.abort(new Error("another frame"));

  await expect(first).rejects.toThrow("another frame");
  await expect(waiting).rejects.toThrow("another frame");
  await expect(worker.ask("encode", [drawing("#")], abort.signal)).rejects.toThrow("another frame");
  expect(await worker.ask("encode", [drawing("#")])).toEqual([encodeRle(drawing("#"))]);
});

test("a request that fails says why, and later ones are answered", async () => {
  const worker = inlineMaskWorker();
  const broken = { patch: null as unknown as Patch, sigma: 1 };

  await expect(worker.ask("smooth", broken)).rejects.toThrow(/null/);
  expect(await worker.ask("encode", [])).toEqual([]);
});

test("requests to a closed worker are refused, those that wait too", async () => {
  const worker = inlineMaskWorker();
  const waiting = worker.ask("encode", []);

  worker.close();

  await expect(waiting).rejects.toThrow("the mask worker was closed");
  await expect(worker.ask("encode", [])).rejects.toThrow("the mask worker was closed");
});

test("answers survive being handed over to another thread", () => {
  const patches = someMasks(300);
  for (const job of [jobs.decode(patches.map(encodeRle)), jobs.trace(patches)] as Job<Kind>[]) {
    const { answer, handedOver } = finish(job);
    const before = structuredClone(answer);

    const received = structuredClone(answer, { transfer: [...handedOver] });

    expect(received).toEqual(before);
    expect(handedOver.every((buffer) => buffer.byteLength === 0)).toBe(true);
  }
});

test("masks that are asked about stay with their owner", async () => {
  const { patches } = await inlineMaskWorker().ask("decode", someMasks(20).map(encodeRle));
  const before = patches.map((patch) => patch.bits.slice());

  await inlineMaskWorker().ask("trace", patches);

  expect(patches.map((patch) => patch.bits)).toEqual(before);
});

const finish = (job: Job<Kind>) => {
  for (;;) {
    const step = job.next();
    if (step.done === true) return step.value;
  }
};
