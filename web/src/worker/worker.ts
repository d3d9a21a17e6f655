// The script that a Web Worker runs: `serve` on the worker's own channel.

import type { FromWorker, ToWorker } from "./base";
import { serve } from "./serve";

const scope = self as unknown as DedicatedWorkerGlobalScope;

serve({
  send: (message: FromWorker, handedOver) => scope.postMessage(message, [...handedOver]),
  listen: (receive) => scope.addEventListener("message", (event: MessageEvent<ToWorker>) => receive(event.data)),
});
