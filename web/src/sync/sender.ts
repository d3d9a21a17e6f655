// Sends the outbox, one entry after the other, until the server has each in its log. What the server says becomes events;
// the outbox itself changes only in `reduce`. A repeated request is harmless (the entry's key), so anything unclear is sent
// again.

import type { Client } from "../api/client";
import { isPassing, type Answer, type Problem } from "../api/problem";
import type { EditedOut, RecordOut, SavedOut } from "../api/types";
import type { OutboxEvent } from "../state/events";
import type { Link, State } from "../state/values";
import type { EditRequest, Entry } from "./entry";
import { next } from "./outbox";

export type SenderParts = {
  readonly client: () => Client;
  readonly state: () => State;
  readonly dispatch: (event: OutboxEvent) => void;
  readonly onLink: (link: Partial<Link>) => void;
  /** Whether an entry is kept by the browser, or never will be. */
  readonly isStored: (key: string) => boolean;
  /** Resolves once everything so far is kept. */
  readonly settled: () => Promise<void>;
  readonly clock: Clock;
};

export type Clock = {
  readonly now: () => number;
  /** Resolves after so long, or at once when the signal says so. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly random: () => number;
};

export type Sender = {
  /** Send until the signal says stop, or the server does not know this person any more: then another tab may. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Look at the outbox again, now: something was added, chosen, or the network is back. */
  readonly wake: () => void;
};

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
// So often one entry may meet a bug of the server's before it steps aside for the others.
const MOST_FAILURES = 5;
const AT_ONCE = 8;

export function createSender(parts: SenderParts): Sender {
  let woken = new AbortController();
  let failures: { key: string; count: number } = { key: "", count: 0 };
  const wake = (): void => {
    woken.abort();
    woken = new AbortController();
  };

  async function run(signal: AbortSignal): Promise<void> {
    let waitMs = FIRST_WAIT_MS;
    while (!signal.aborted) {
      const awake = woken.signal;
      const entry = next(parts.state().outbox);
      if (entry === null || !parts.isStored(entry.key)) {
        await untilAborted(AbortSignal.any([awake, signal]));
        continue;
      }
      const outcome = await sendOne(entry, signal);
      if (signal.aborted) return;
      if (outcome === "done") {
        waitMs = FIRST_WAIT_MS;
        parts.onLink({ state: "online", problem: null, retryAt: null });
        continue;
      }
      if (outcome.kind === "signed_out") return parts.onLink({ state: "signed_out", problem: outcome, retryAt: null });
      waitMs = await pause(outcome, waitMs, AbortSignal.any([awake, signal]));
    }
  }

  /** Wait for the server. Gives how long to wait next time. */
  async function pause(problem: Problem, waitMs: number, signal: AbortSignal): Promise<number> {
    const least = problem.kind === "busy" ? problem.retryAfterS * 1000 : 0;
    const ms = Math.max(waitMs * (0.8 + 0.4 * parts.clock.random()), least);
    parts.onLink({ state: "offline", problem, retryAt: parts.clock.now() + ms });
    await parts.clock.wait(ms, signal);
    return Math.min(waitMs * 2, LONGEST_WAIT_MS);
  }

  async function sendOne(entry: Entry, signal: AbortSignal): Promise<"done" | Problem> {
    if (parts.state().outbox.tried !== entry.key) {
      // Should this tab die now, the next one must know that the server may have it.
      parts.dispatch({ type: "entry-tried", key: entry.key });
      await parts.settled();
    }
    const answer = await ask(parts.client(), entry, signal);
    if (answer.ok) {
      parts.dispatch(
        "items" in answer.value && "etags" in answer.value
          ? { type: "entry-edited", key: entry.key, answer: answer.value }
          : { type: "entry-saved", key: entry.key, answer: answer.value as SavedOut },
      );
      return "done";
    }
    const { problem } = answer;
    if (problem.kind === "conflict" && entry.request.kind === "edit") return conflict(entry, entry.request, problem, signal);
    if (problem.kind === "aborted" || problem.kind === "signed_out") return problem;
    if (isPassing(problem) && !isStuck(entry, problem)) return problem;
    parts.dispatch({ type: "entry-refused", key: entry.key, problem });
    return "done";
  }

  async function conflict(entry: Entry, request: EditRequest, problem: Problem, signal: AbortSignal): Promise<"done" | Problem> {
    const read = await readRecords(parts.client(), Object.keys(request.expects), entry.frame, signal);
    if (!read.ok) {
      if (isPassing(read.problem) || read.problem.kind === "aborted" || read.problem.kind === "signed_out") return read.problem;
      parts.dispatch({ type: "entry-refused", key: entry.key, problem: read.problem });
      return "done";
    }
    parts.dispatch({ type: "entry-conflicted", key: entry.key, theirs: read.value });
    const same = next(parts.state().outbox);
    // It was told of a conflict that nobody can see: not again at once.
    return same === entry ? { kind: "unreachable", message: "message" in problem ? problem.message : "" } : "done";
  }

  function isStuck(entry: Entry, problem: Problem): boolean {
    if (problem.kind !== "failed" || problem.status !== 500) return false;
    failures = { key: entry.key, count: failures.key === entry.key ? failures.count + 1 : 1 };
    return failures.count >= MOST_FAILURES;
  }

  return { run, wake };
}

function ask(client: Client, entry: Entry, signal: AbortSignal): Promise<Answer<EditedOut | SavedOut>> {
  const { request, key } = entry;
  const headers = { "Idempotency-Key": key };
  if (request.kind === "save") return client.call("add_records", { headers, signal, body: { records: request.records } });
  return client.call("add_events", { headers, signal, body: { events: request.events, if_match: request.expects } });
}

/** Read records as they are: a few one by one, many with their frame. */
export async function readRecords(
  client: Client,
  ids: readonly string[],
  frame: string | null,
  signal: AbortSignal,
): Promise<Answer<{ readonly [recordId: string]: RecordOut }>> {
  const found: { [recordId: string]: RecordOut } = {};
  if (ids.length > AT_ONCE && frame !== null) {
    const answer = await client.call("list_frame_records", { path: { frame }, query: { status: "any" }, signal });
    if (!answer.ok) return answer;
    const wanted = new Set(ids);
    for (const one of answer.value.items) if (wanted.has(one.record.id)) found[one.record.id] = one;
  }
  for (const id of ids) {
    if (found[id] !== undefined) continue;
    const answer = await client.call("get_record", { path: { record_id: id }, signal });
    if (!answer.ok) return answer;
    found[id] = answer.value;
  }
  return { ok: true, status: 200, etag: null, value: found };
}

export const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
