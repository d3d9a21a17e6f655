// What can go wrong with a request, as cases that a caller tells apart by `kind`. The code and message are the server's
// own (`ErrorOut`); where no server answered there is none.

import type { ErrorOut } from "./types";

export type Problem =
  /** No answer came: the network, the server, or both are away. */
  | { readonly kind: "unreachable"; readonly message: string }
  /** Whoever asked gave up. */
  | { readonly kind: "aborted" }
  /** There is no token, or it is not valid (any more). */
  | { readonly kind: "signed_out"; readonly code: string; readonly message: string }
  /** The token does not reach so far, or the store is not to be written. */
  | { readonly kind: "not_allowed"; readonly code: string; readonly message: string }
  /** Somebody changed it since it was read. */
  | { readonly kind: "conflict"; readonly code: string; readonly message: string }
  /** Too many ask, or the server is stopping or starting: come back after `retryAfterS`. */
  | { readonly kind: "busy"; readonly code: string; readonly message: string; readonly retryAfterS: number }
  /** The server failed; the same request may do later. */
  | { readonly kind: "failed"; readonly status: number; readonly code: string; readonly message: string }
  /** The request is not one that the server does, now or later. */
  | { readonly kind: "refused"; readonly status: number; readonly code: string; readonly message: string };

export type Answer<T> =
  | { readonly ok: true; readonly value: T; readonly status: number; readonly etag: string | null }
  | { readonly ok: false; readonly problem: Problem };

const BUSY = [429, 503];
const GATEWAYS = [502, 504];

/** Read what an answer that is no success says; `now` dates a Retry-After that names a moment. */
export function problemOf(status: number, retryAfter: string | null, body: string, now: number): Problem {
  const { code, message } = detailOf(status, body);
  if (status === 401) return { kind: "signed_out", code, message };
  if (status === 403) return { kind: "not_allowed", code, message };
  if (status === 412) return { kind: "conflict", code, message };
  if (BUSY.includes(status)) return { kind: "busy", code, message, retryAfterS: secondsOf(retryAfter, now) ?? 1 };
  // A proxy whose server is away says so in pages of its own.
  if (GATEWAYS.includes(status) && code === "") return { kind: "unreachable", message };
  if (status >= 500 || status === 408) return { kind: "failed", status, code, message };
  return { kind: "refused", status, code, message };
}

/** Whether the same request may succeed later without anybody doing anything. */
export function isPassing(problem: Problem): boolean {
  return problem.kind === "unreachable" || problem.kind === "busy" || problem.kind === "failed";
}

function detailOf(status: number, body: string): { code: string; message: string } {
  try {
    const found: unknown = JSON.parse(body);
    if (isErrorOut(found)) return found.error;
  } catch {
    // Not JSON: not an answer of this server.
  }
  return { code: "", message: `the answer was ${status}` };
}

function isErrorOut(value: unknown): value is ErrorOut {
  if (typeof value !== "object" || value === null || !("error" in value)) return false;
  const error = value.error;
  return typeof error === "object" && error !== null && "code" in error && "message" in error;
}

function secondsOf(header: string | null, now: number): number | null {
  if (header === null) return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const moment = Date.parse(header);
  return Number.isNaN(moment) ? null : Math.max(0, (moment - now) / 1000);
}
