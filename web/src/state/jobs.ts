// Long work at the server: following an object through its recording, and exports. Progress comes as it goes; what was
// begun before a reload is followed on.

import type { Client } from "../api/client";
import { follow } from "../api/stream";
import type { JobIn, JobOut } from "../api/types";
import type { Clock } from "../sync/sender";
import { text } from "../text";
import type { Store } from "./store";

export type Jobs = ReturnType<typeof createJobs>;

const ENDED: readonly JobOut["state"][] = ["done", "failed", "cancelled", "interrupted"];

export function createJobs(parts: {
  readonly store: Store;
  readonly client: () => Client;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly refresh: () => Promise<void>;
}) {
  const { store, client, clock, newId, refresh } = parts;

  async function begin(body: JobIn): Promise<JobOut | null> {
    const answer = await client().call("add_job", { headers: { "Idempotency-Key": newId() }, body });
    if (!answer.ok) {
      store.dispatch({ type: "noticed", notice: { id: "job", kind: "problem", text: text.problem(answer.problem) } });
      return null;
    }
    store.dispatch({ type: "job-told", job: answer.value });
    void watch(answer.value.id);
    return answer.value;
  }

  async function watch(id: string): Promise<void> {
    const over = new AbortController();
    await follow({
      open: (_, signal) => client().call("stream_job", { path: { job_id: id }, signal }),
      onMessage: ({ event, data }) => {
        if (event !== "job") return;
        const job = JSON.parse(data) as JobOut;
        store.dispatch({ type: "job-told", job });
        if (ENDED.includes(job.state)) over.abort();
      },
      onState: () => undefined,
      signal: over.signal,
      wait: clock.wait,
    });
    await refresh();
  }

  /** Learn of jobs that were begun before this page was opened, or by others. */
  async function recall(): Promise<void> {
    const answer = await client().call("list_jobs", { query: { limit: 20 } });
    if (!answer.ok) return;
    const known = new Set(store.get().jobs.map((job) => job.id));
    for (const job of answer.value.items.toReversed()) {
      if (known.has(job.id)) continue;
      store.dispatch({ type: "job-told", job });
      if (!ENDED.includes(job.state)) void watch(job.id);
    }
  }

  async function cancel(id: string): Promise<void> {
    const answer = await client().call("cancel_job", { path: { job_id: id } });
    if (answer.ok) store.dispatch({ type: "job-told", job: answer.value });
  }
  return { begin, recall, cancel };
}

export const isRunning = ({ state }: JobOut): boolean => !ENDED.includes(state);
