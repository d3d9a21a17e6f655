// The page's end: mask work as promises. An aborted request is dropped where it waits, or stopped at its next step.
// Where there is no worker (tests, or a browser that refuses one) the same work runs on this thread, in the same steps.

import { joinedChannels, type Answer, type Ask, type Channel, type FromWorker, type Kind, type ToWorker } from "./base";
import { MaskError } from "../masks/errors";
import type { Patch } from "../masks/patch";
import { serve } from "./serve";

export type MaskWorker = {
  /** Do some work off this thread. Rejects with the signal's reason if aborted, with MaskError if it fails. */
  readonly ask: <K extends Kind>(kind: K, ask: Ask<K>, signal?: AbortSignal) => Promise<Answer<K>>;
  readonly close: () => void;
};

/** Start a worker; on this thread if there are none. */
export const startMaskWorker = (): MaskWorker => {
  if (typeof Worker === "undefined") return inlineMaskWorker();
  let worker: Worker;
  try {
    worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  } catch {
    return inlineMaskWorker(); // a page that may not start workers is slower, not broken
  }
  const client = connect({
    send: (message: ToWorker, handedOver) => worker.postMessage(message, [...handedOver]),
    listen: (receive) => {
      worker.addEventListener("message", (event: MessageEvent<FromWorker>) => receive(event.data));
      worker.addEventListener("error", (event) =>
        client.fail(`the mask worker stopped: ${event.message}. Reload the page.`),
      );
    },
  });
  return { ask: client.ask, close: () => (worker.terminate(), client.fail("the mask worker was closed")) };
};

/** Do the work on this thread, between other events. */
export const inlineMaskWorker = (): MaskWorker => {
  const [page, worker] = joinedChannels<ToWorker, FromWorker>();
  serve(worker);
  const client = connect(page);
  return { ask: client.ask, close: () => client.fail("the mask worker was closed") };
};

type Pending = { readonly done: (answer: never) => void; readonly failed: (reason: unknown) => void };

const connect = (channel: Channel<ToWorker, FromWorker>) => {
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let closed: MaskError | null = null;

  channel.listen((message) => {
    const request = pending.get(message.id);
    pending.delete(message.id);
    if (request === undefined) return; // aborted while its answer was on the way
    if (message.outcome === "done") request.done(message.answer as never);
    else request.failed(new MaskError(message.message));
  });

  const ask: MaskWorker["ask"] = (kind, question, signal) =>
    new Promise((resolve, reject) => {
      if (closed !== null || signal?.aborted === true) {
        reject(closed ?? signal?.reason);
        return;
      }
      const id = (lastId += 1);
      const abort = (): void => {
        if (!pending.delete(id)) return;
        channel.send({ id, kind: "cancel" }, []);
        reject(signal?.reason);
      };
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          signal?.removeEventListener("abort", abort);
          then(value);
        };
      pending.set(id, { done: settle(resolve), failed: settle(reject) });
      signal?.addEventListener("abort", abort, { once: true });
      channel.send({ id, kind, ask: detached(question) } as ToWorker, []);
    });

  const fail = (reason: string): void => {
    closed = new MaskError(reason);
    for (const request of pending.values()) request.failed(closed);
    pending.clear();
  };

  return { ask, fail };
};

/**
 * Give each bitmap a buffer of its own before it is copied to the worker: a view of a large buffer, as decoded
 * patches are, would take the whole buffer with it. The caller's patches stay as they are.
 */
const detached = (question: unknown): unknown => {
  if (Array.isArray(question)) return question.map(detached);
  if (question instanceof Object && "from" in question && "to" in question) {
    return { ...question, from: detached(question.from), to: detached(question.to) };
  }
  if (question instanceof Object && "patch" in question) return { ...question, patch: detached(question.patch) };
  if (question instanceof Object && "bits" in question) {
    const patch = question as Patch;
    return patch.bits.byteLength === patch.bits.buffer.byteLength ? patch : { ...patch, bits: patch.bits.slice() };
  }
  return question;
};
