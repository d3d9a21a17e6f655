// The worker's end: takes requests in their order, one at a time, and looks for cancellations between the steps of a
// job.

import type { Channel, FromWorker, Kind, Request, ToWorker } from "./base";
import { jobs, type Job } from "./jobs";

/** Answer what comes through a channel, for as long as it is open. */
export const serve = (channel: Channel<FromWorker, ToWorker>): void => {
  const waiting: Request[] = [];
  let current: { readonly id: number; isCancelled: boolean } | null = null;

  const work = async (): Promise<void> => {
    for (let request = waiting.shift(); request !== undefined; request = waiting.shift()) {
      const running = { id: request.id, isCancelled: false };
      current = running;
      await run(request, channel, () => running.isCancelled);
    }
    current = null;
  };

  channel.listen((message) => {
    if (message.kind !== "cancel") {
      waiting.push(message);
      if (current === null) void work();
      return;
    }
    const at = waiting.findIndex((request) => request.id === message.id);
    if (at >= 0) waiting.splice(at, 1);
    else if (current?.id === message.id) current.isCancelled = true;
  });
};

const run = async (
  request: Request,
  channel: Channel<FromWorker, ToWorker>,
  isCancelled: () => boolean,
): Promise<void> => {
  const { id } = request;
  try {
    const job = jobs[request.kind](request.ask as never) as Job<Kind>;
    let step = job.next();
    while (step.done !== true) {
      await letMessagesIn();
      if (isCancelled()) return;
      step = job.next();
    }
    channel.send({ id, outcome: "done", answer: step.value.answer }, step.value.handedOver);
  } catch (error) {
    channel.send({ id, outcome: "failed", message: error instanceof Error ? error.message : String(error) }, []);
  }
};

// Timers are held back to 4 ms after a few in a row, in browsers; a message to oneself is not.
const letMessagesIn = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
