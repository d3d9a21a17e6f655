import { expect, test } from "vitest";
import { createClient, filled, queryOf } from "./client";
import { isPassing, problemOf } from "./problem";
import { createSession } from "./session";
import { takeToken, tokenIn, tokenOf } from "./sign_in";
import { follow, readMessages, type Message } from "./stream";
import type { Answer } from "./problem";

const answer = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
  new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });
const told = (code: string, message: string) => ({ error: { code, message, request_id: "r" } });

function clientOf(reply: (request: Request, signal: AbortSignal) => Response | Promise<Response>, token: string | null = "mw_secret") {
  const asked: Request[] = [];
  const send = (async (url: string, init: RequestInit) => {
    const request = new Request(`http://server${url}`, init);
    asked.push(request);
    return reply(request, init.signal ?? request.signal);
  }) as unknown as typeof fetch;
  return { client: createClient({ token: () => token, fetch: send, now: () => 0 }), asked };
}

test("a request has its names, conditions, headers and body in their places", async () => {
  const { client, asked } = clientOf(() => answer(201, { moment: 1, items: [], etags: {} }));

  await client.call("add_events", { headers: { "Idempotency-Key": "k" }, body: { events: [], if_match: { a: "0-0" } } });
  await client.call("list_frame_records", { path: { frame: "a/b?" }, query: { status: "any" } });

  expect(asked[0]?.method).toBe("POST");
  expect(asked[0]?.headers.get("Authorization")).toBe("Bearer mw_secret");
  expect(asked[0]?.headers.get("Idempotency-Key")).toBe("k");
  expect(await asked[0]?.json()).toEqual({ events: [], if_match: { a: "0-0" } });
  expect(asked[1]?.url).toBe("http://server/v1/frames/a%2Fb%3F/records?status=any");
  expect(filled("/v1/jobs/{job_id}", { job_id: "x y" })).toBe("/v1/jobs/x%20y");
  expect(queryOf({ label: ["a", "b&c"], limit: 3, cursor: null, after: undefined })).toBe("?label=a&label=b%26c&limit=3");
});

test("an answer is a value with its etag", async () => {
  const { client } = clientOf(() => answer(200, { name: "ann", scope: "read" }, { ETag: '"3-5f"' }));

  expect(await client.call("caller")).toEqual({ ok: true, status: 200, etag: "3-5f", value: { name: "ann", scope: "read" } });
});

test("every refusal is a case of its own, in the server's words", async () => {
  const of = (status: number, retryAfter: string | null = null) => problemOf(status, retryAfter, JSON.stringify(told("some_code", "Why")), 1_000_000);

  expect(of(401)).toEqual({ kind: "signed_out", code: "some_code", message: "Why" });
  expect(of(403).kind).toBe("not_allowed");
  expect(of(412).kind).toBe("conflict");
  expect(of(429, "2.5")).toMatchObject({ kind: "busy", retryAfterS: 2.5 });
  expect(of(503, new Date(1_010_000).toUTCString())).toMatchObject({ kind: "busy", retryAfterS: 10 });
  expect(of(503)).toMatchObject({ retryAfterS: 1 });
  expect(of(507).kind).toBe("failed");
  expect(of(422)).toMatchObject({ kind: "refused", status: 422 });
  expect(problemOf(502, null, "<html>Bad gateway</html>", 0).kind).toBe("unreachable");
  expect([of(401), of(403), of(412), of(422)].some(isPassing)).toBe(false);
  expect([of(429), of(500)].every(isPassing)).toBe(true);
});

test("a line that breaks is a problem, not an exception", async () => {
  const { client } = clientOf(() => Promise.reject(new TypeError("failed to fetch")));

  expect(await client.call("caller")).toEqual({ ok: false, problem: { kind: "unreachable", message: "failed to fetch" } });
});

test("a page that comes instead of the server's answer is no picture", async () => {
  const { client } = clientOf(() => new Response("<html>", { headers: { "Content-Type": "text/html" } }));

  expect(await client.call("get_frame_picture", { path: { frame: "f" } })).toMatchObject({ ok: false, problem: { kind: "unreachable" } });
});

test("who gives up is told that it was given up, and who waits too long that no answer came", async () => {
  const never = (_: Request, signal: AbortSignal) =>
    new Promise<Response>((__, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const { client } = clientOf(never);
  const giveUp = new AbortController();

  const asked = client.call("caller", { signal: giveUp.signal });
  giveUp.abort();

  expect(await asked).toEqual({ ok: false, problem: { kind: "aborted" } });
  expect(await client.call("caller", { timeoutMs: 10 })).toMatchObject({ problem: { kind: "unreachable" } });
});

test("the token leaves the address bar, and stays with the tab", () => {
  const kept = new Map<string, string>();
  const shown: string[] = [];
  const places = (hash: string) => ({
    location: { hash, pathname: "/review/", search: "?frame=f" },
    history: { state: null, replaceState: (_: unknown, __: string, url?: string | URL | null) => void shown.push(String(url)) },
    kept: { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => void kept.set(name, value), removeItem: (name: string) => void kept.delete(name) },
  });

  expect(takeToken(places("#token=mw_abc&x=1"))).toBe("mw_abc");
  expect(shown).toEqual(["/review/?frame=f#x=1"]);
  expect(takeToken(places(""))).toBe("mw_abc");
  expect(tokenIn("#token=")).toEqual({ token: null, rest: "#token=" });
});

test("messages are cut wherever the pieces of a stream end", () => {
  const whole = "retry: 2000\n\nid: 4\n\nid: 5\nevent: review\ndata: {\"a\":\ndata: 1}\n\n: alive\n\nid: 6\nevent: review\ndata: x\n\nid: 7\nda";
  for (let cut = 0; cut < whole.length; cut++) {
    const first = readMessages(whole.slice(0, cut));
    const second = readMessages(first.rest + whole.slice(cut));
    expect([...first.messages, ...second.messages]).toEqual([
      { id: "4", event: "message", data: "" },
      { id: "5", event: "review", data: '{"a":\n1}' },
      { id: "6", event: "review", data: "x" },
    ]);
    expect(second.rest).toBe("id: 7\nda");
  }
});

test("a stream that breaks goes on after the last it gave, and ends when the server will not have us", async () => {
  const encoder = new TextEncoder();
  const begins: (string | null)[] = [];
  const got: Message[] = [];
  const parts = ["id: 1\ndata: a\n\nid: 2\n\n", "id: 3\ndata: b\n\nid: 4\nda"];
  const open = async (lastId: string | null): Promise<Answer<ReadableStream<Uint8Array>>> => {
    begins.push(lastId);
    const part = parts.shift();
    if (part === undefined) return { ok: false, problem: { kind: "signed_out", code: "", message: "" } };
    const value = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(encoder.encode(part));
        controller.close();
      },
    });
    return { ok: true, status: 200, etag: null, value };
  };

  const end = await follow({ open, onMessage: (one) => got.push(one), onState: () => undefined, signal: new AbortController().signal, wait: async () => undefined });

  expect(begins).toEqual([null, "2", "3"]);
  expect(got.map((one) => one.data)).toEqual(["a", "b"]);
  expect(end?.kind).toBe("signed_out");
});

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("an answer that comes slowly is waited for, one that stops coming is not", async () => {
  const slow = (parts: number, signal: AbortSignal): Response => {
    const body = new ReadableStream<Uint8Array>({
      async start(out) {
        signal.addEventListener("abort", () => out.error(signal.reason)); // as fetch does
        for (let i = 0; i < parts; i++) {
          await later(25);
          out.enqueue(new TextEncoder().encode("x"));
        }
        if (parts > 3) out.close();
      },
    });
    return new Response(body, { status: 200, headers: { "Content-Type": "text/plain" } });
  };
  const { client } = clientOf((request, signal) => slow(request.url.includes("stops") ? 2 : 6, signal));

  const whole = await client.call("get_frame_picture", { path: { frame: "goes-on" }, timeoutMs: 90 });
  const cut = await client.call("get_frame_picture", { path: { frame: "stops" }, timeoutMs: 90 });

  expect(whole.ok && whole.value).toBe("xxxxxx");
  expect(cut).toEqual({ ok: false, problem: { kind: "unreachable", message: "no answer came in time" } });
});

test("whoever is signed out goes on with a token of his own, not with somebody else's", async () => {
  const people = new Map([["Bearer mw_new", "ann"], ["Bearer mw_ben", "ben"]]);
  const [kept, told_]: [string[], string[]] = [[], []];
  const send = (async (_: string, init: RequestInit) => {
    const name = people.get(new Headers(init.headers).get("Authorization") ?? "");
    return name === undefined ? answer(401, told("not_signed_in", "no")) : answer(200, { name, scope: "annotate" });
  }) as unknown as typeof fetch;
  const session = createSession({
    token: "mw_old",
    address: "",
    keep: (token) => void kept.push(token),
    onSignedOut: (problem) => void told_.push(problem.kind),
    fetch: send,
  });

  await session.client.call("caller");
  expect(told_).toEqual(["signed_out"]);
  expect(await session.signIn("mw_wrong", "ann")).toMatchObject({ ok: false, problem: { kind: "signed_out" } });
  expect(await session.signIn("mw_ben", "ann")).toBe("another");
  expect(await session.signIn("mw_new", "ann")).toMatchObject({ ok: true });
  expect(await session.client.call("caller")).toMatchObject({ ok: true, value: { name: "ann" } });
  expect([kept, told_]).toEqual([["mw_new"], ["signed_out"]]);
  expect(["http://x/?a=b#token=mw_1&y=2", " mw_1 ", "  "].map(tokenOf)).toEqual(["mw_1", "mw_1", null]);
});
