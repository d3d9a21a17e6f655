// Requests to the server, typed by its own description (`types.ts`). A client is a function `call` bound to an address
// and a token. It never throws for what the network or the server does: an answer is a value or a `Problem`.

import { problemOf, type Answer, type Problem } from "./problem";
import { operations, type Operations } from "./types";

export type OperationId = keyof Operations;
type Part<K extends OperationId, P extends "path" | "query" | "headers"> = Operations[K][P];
type IsEmpty<T> = string extends keyof T ? true : false;
type Body<K extends OperationId> = Operations[K]["body"];

export type Asked<K extends OperationId> = {
  readonly signal?: AbortSignal;
  /** Give up when nothing has come for so long; nothing for streams, which have no end. */
  readonly timeoutMs?: number;
} & (IsEmpty<Part<K, "path">> extends true ? { readonly path?: never } : { readonly path: Part<K, "path"> }) &
  (IsEmpty<Part<K, "query">> extends true ? { readonly query?: never } : { readonly query?: Part<K, "query"> }) &
  (IsEmpty<Part<K, "headers">> extends true ? { readonly headers?: never } : { readonly headers?: Part<K, "headers"> }) &
  ([Body<K>] extends [undefined] ? { readonly body?: never } : { readonly body: Body<K> });

export type Client = {
  readonly call: <K extends OperationId>(
    operation: K,
    ...asked: Record<never, never> extends Asked<K> ? [Asked<K>?] : [Asked<K>]
  ) => Promise<Answer<Operations[K]["answer"]>>;
};

export type ClientOptions = {
  /** Asked with every request: who was signed out may have signed in again. */
  readonly token: () => string | null;
  /** Where the server is; "" for where the page came from. */
  readonly address?: string;
  readonly fetch?: typeof fetch;
  readonly now?: () => number;
};

const TIMEOUT_MS = 30_000;
// Bytes for each ms of more patience with what is sent, and length of an answer from which its parts are signs of life.
const SLOWEST_LINE = 10;
const LONG_ANSWER = 1 << 18;

type LooseAsked = {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly path?: { readonly [name: string]: string };
  readonly query?: { readonly [name: string]: unknown };
  readonly headers?: { readonly [name: string]: string | null };
  readonly body?: unknown;
};

/** Make a client. */
export function createClient(options: ClientOptions): Client {
  const send = options.fetch ?? fetch.bind(globalThis);
  const now = options.now ?? Date.now;

  async function call(operation: OperationId, given: object = {}): Promise<Answer<unknown>> {
    const asked = given as LooseAsked;
    const { method, path } = operations[operation];
    const isStream = operation === "stream_events" || operation === "stream_job" || operation === "follow_track";
    const body = bodyOf(asked.body);
    const patience = isStream ? null : patienceOf((asked.timeoutMs ?? TIMEOUT_MS) + lengthOf(body) / SLOWEST_LINE);
    const signal = AbortSignal.any([asked.signal, patience?.signal].filter((one) => one !== undefined));
    try {
      const answer = await send(`${options.address ?? ""}${filled(path, asked.path)}${queryOf(asked.query)}`, {
        method,
        headers: headersOf(asked, options.token()),
        body,
        signal,
        cache: "no-cache",
        credentials: "omit",
      });
      return await read(patience === null ? answer : heardOf(answer, patience), now());
    } catch (error) {
      return { ok: false, problem: lost(error, asked.signal) };
    } finally {
      patience?.end();
    }
  }
  return { call: call as Client["call"] };
}

/** Put names into the places of a path. */
export function filled(path: string, names: { readonly [name: string]: string } = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(names[name] ?? ""));
}

/** Write a query string: lists as repeated names, nothing for what is null or undefined. */
export function queryOf(query: { readonly [name: string]: unknown } = {}): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined) found.append(name, String(one));
    }
  }
  const text = found.toString();
  return text === "" ? "" : `?${text}`;
}

function headersOf(asked: LooseAsked, token: string | null): Headers {
  const headers = new Headers();
  if (token !== null) headers.set("Authorization", `Bearer ${token}`);
  if (isJson(asked.body)) headers.set("Content-Type", "application/json");
  for (const [name, value] of Object.entries(asked.headers ?? {})) {
    if (value !== null && value !== undefined) headers.set(name, value);
  }
  return headers;
}

const isJson = (body: unknown): boolean => body !== undefined && !(body instanceof Blob || body instanceof FormData);

function bodyOf(body: unknown): BodyInit | null {
  if (body === undefined) return null;
  return body instanceof Blob || body instanceof FormData ? body : JSON.stringify(body);
}

type Patience = { readonly signal: AbortSignal; readonly heard: () => void; readonly end: () => void };

/** Ends a request of which nothing has been heard for so long. */
function patienceOf(ms: number): Patience {
  const silence = new AbortController();
  const giveUp = (): void => silence.abort(new DOMException("no answer came in time", "TimeoutError"));
  let timer = setTimeout(giveUp, ms);
  const end = (): void => clearTimeout(timer);
  return { signal: silence.signal, end, heard: () => (end(), (timer = setTimeout(giveUp, ms))) };
}

/** An answer whose parts are signs of life: a large picture over a slow line takes its time. */
function heardOf(answer: Response, { heard }: Patience): Response {
  heard();
  if (answer.body === null || Number(answer.headers.get("Content-Length") ?? Infinity) < LONG_ANSWER) return answer;
  const parts = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform: (chunk, out) => {
      heard();
      out.enqueue(chunk);
    },
  });
  return new Response(answer.body.pipeThrough(parts), { status: answer.status, headers: answer.headers });
}

const lengthOf = (body: BodyInit | null): number =>
  typeof body === "string" ? body.length : body instanceof Blob ? body.size : 0;

async function read(answer: Response, now: number): Promise<Answer<unknown>> {
  const { status } = answer;
  if (!answer.ok && status !== 304) {
    const problem = problemOf(status, answer.headers.get("Retry-After"), await answer.text(), now);
    return { ok: false, problem };
  }
  const etag = answer.headers.get("ETag")?.replaceAll('"', "") ?? null;
  return { ok: true, status, etag, value: await valueOf(answer) };
}

async function valueOf(answer: Response): Promise<unknown> {
  const kind = answer.headers.get("Content-Type") ?? "";
  if (answer.status === 204 || answer.status === 304) return undefined;
  if (kind.startsWith("application/json")) return answer.json();
  if (kind.startsWith("text/event-stream")) return answer.body;
  if (kind.startsWith("text/plain")) return answer.text();
  // Where a proxy or another program answers for the server, its page must not be taken for a picture.
  if (kind.startsWith("text/html")) throw new TypeError("a page came instead of an answer of the server");
  return answer.blob();
}

function lost(error: unknown, signal: AbortSignal | undefined): Problem {
  if (signal?.aborted === true) return { kind: "aborted" };
  const name = error instanceof Error ? error.name : "";
  if (name === "TimeoutError") return { kind: "unreachable", message: "no answer came in time" };
  return { kind: "unreachable", message: error instanceof Error ? error.message : String(error) };
}
