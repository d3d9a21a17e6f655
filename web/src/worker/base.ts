// What the page and its worker say to each other: kinds of work with what each asks and answers, and the messages
// around them. Bitmaps of answers are handed over, not copied. Both sides see only a `Channel`, so tests and browsers
// without workers run the same code in one thread.

import type { Polygons } from "../geometry/rings";
import type { DecodedBatch } from "../masks/rle";
import type { Patch, Rle } from "../masks/patch";

export type Work = {
  /** RLEs to patches; one that cannot be read becomes an empty patch and a problem. */
  readonly decode: { readonly ask: readonly Rle[]; readonly answer: Pick<DecodedBatch, "patches" | "problems"> };
  readonly encode: { readonly ask: readonly Patch[]; readonly answer: readonly Rle[] };
  readonly trace: { readonly ask: readonly Patch[]; readonly answer: readonly Polygons[] };
  readonly smooth: { readonly ask: { readonly patch: Patch; readonly sigma: number }; readonly answer: Patch };
  /** One mask for each share of the way. */
  readonly interpolate: {
    readonly ask: { readonly from: Patch; readonly to: Patch; readonly shares: readonly number[] };
    readonly answer: readonly Patch[];
  };
};

export type Kind = keyof Work;
export type Ask<K extends Kind> = Work[K]["ask"];
export type Answer<K extends Kind> = Work[K]["answer"];

export type Request = { [K in Kind]: { readonly id: number; readonly kind: K; readonly ask: Ask<K> } }[Kind];
export type ToWorker = Request | { readonly id: number; readonly kind: "cancel" };

export type FromWorker =
  | { readonly id: number; readonly outcome: "done"; readonly answer: Answer<Kind> }
  | { readonly id: number; readonly outcome: "failed"; readonly message: string };

/** One end of a connection. `listen` is called once. */
export type Channel<Out, In> = {
  readonly send: (message: Out, handedOver: readonly ArrayBuffer[]) => void;
  readonly listen: (receive: (message: In) => void) => void;
};

/** Two ends joined in one thread. Messages arrive later, as a worker's do, but are neither copied nor handed over. */
export const joinedChannels = <A, B>(): readonly [Channel<A, B>, Channel<B, A>] => {
  const [left, right]: [((message: B) => void)[], ((message: A) => void)[]] = [[], []];
  const later = (deliver: () => void): void => void setTimeout(deliver, 0);
  return [
    {
      send: (message) => later(() => right.forEach((receive) => receive(message))),
      listen: (receive) => left.push(receive),
    },
    {
      send: (message) => later(() => left.forEach((receive) => receive(message))),
      listen: (receive) => right.push(receive),
    },
  ];
};
