// Server-sent events over fetch, since EventSource cannot send the token. `readMessages` is the pure half; `follow` keeps a
// stream open, comes back with Last-Event-ID after every break, and ends when it is told to.

import type { Answer, Problem } from "./problem";

export type Message = { readonly id: string | null; readonly event: string; readonly data: string };

export type Following = {
  /** Ask for the stream, from after `lastId` if one is known. */
  readonly open: (lastId: string | null, signal: AbortSignal) => Promise<Answer<ReadableStream<Uint8Array>>>;
  readonly onMessage: (message: Message) => void;
  /** Told when the stream stands, and what broke it. */
  readonly onState: (state: { readonly isOpen: boolean; readonly problem: Problem | null }) => void;
  readonly signal: AbortSignal;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
};

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 20_000;
// The server gives a sign of life every 15 s; without any a connection is dead although nothing says so.
const SILENCE_MS = 40_000;

/** Cut text into messages; `rest` is what is not whole yet. A message without data still carries its id. */
export function readMessages(text: string): { readonly messages: readonly Message[]; readonly rest: string } {
  const blocks = text.replaceAll("\r\n", "\n").split("\n\n");
  const rest = blocks.pop() ?? "";
  return { messages: blocks.map(messageOf).filter((one) => one !== null), rest };
}

function messageOf(block: string): Message | null {
  let id: string | null = null;
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const [name = "", ...parts] = line.split(":");
    const value = parts.join(":").replace(/^ /, "");
    if (name === "id") id = value;
    else if (name === "event") event = value;
    else if (name === "data") data.push(value);
  }
  return id === null && data.length === 0 ? null : { id, event, data: data.join("\n") };
}

/** Follow a stream until `signal` says stop, or the server will not have us (signed out, not allowed, refused). */
export async function follow(following: Following): Promise<Problem | null> {
  const { signal, onState } = following;
  let lastId: string | null = null;
  let waitMs = FIRST_WAIT_MS;
  while (!signal.aborted) {
    const answer = await following.open(lastId, signal);
    if (answer.ok) {
      onState({ isOpen: true, problem: null });
      const read = await readAll(answer.value, following, lastId);
      lastId = read.lastId;
      if (read.gotAny) waitMs = FIRST_WAIT_MS;
      onState({ isOpen: false, problem: null });
    } else {
      const problem = answer.problem;
      if (problem.kind === "aborted") return null;
      onState({ isOpen: false, problem });
      if (problem.kind === "signed_out" || problem.kind === "not_allowed" || problem.kind === "refused") return problem;
      if (problem.kind === "busy") waitMs = Math.max(waitMs, problem.retryAfterS * 1000);
    }
    if (!signal.aborted) await following.wait(waitMs, signal);
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
  }
  return null;
}

async function readAll(
  stream: ReadableStream<Uint8Array>,
  { onMessage, signal }: Following,
  begin: string | null,
): Promise<{ readonly lastId: string | null; readonly gotAny: boolean }> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const stop = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", stop, { once: true });
  let [lastId, rest, gotAny] = [begin, "", false];
  try {
    for (;;) {
      const chunk = await withinSilence(reader);
      if (chunk.done || signal.aborted) break;
      const read = readMessages(rest + decoder.decode(chunk.value, { stream: true }));
      rest = read.rest;
      for (const message of read.messages) {
        if (message.data !== "") onMessage(message);
        lastId = message.id ?? lastId;
        gotAny = true;
      }
    }
  } catch {
    // The connection broke; the next one goes on after lastId.
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
  return { lastId, gotAny };
}

async function withinSilence(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("silence")), SILENCE_MS);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } finally {
    clearTimeout(timer);
  }
}
