// A server in memory with the rules of the real one (keys, etags, all or none, one log), whose line is as bad as a test
// wants: requests that are lost, answers that are lost, late ones, refusals that pass. For tests only.

import type { Client } from "../api/client";
import type { Answer, Problem } from "../api/problem";
import type { EditedOut, EventsIn, FrameOut, LoggedEventOut, MaskRecord, RecordOut, RecordsIn, ReviewEvent, SavedOut } from "../api/types";
import { boxPatch } from "../masks/algebra";
import { encodeRle } from "../masks/rle";
import { recordOf, type Masks } from "../state/masks";
import { resolve, touchedBy } from "../state/resolve";
import { namedBy } from "./entry";

export type Chance = () => number;
export type Weather = {
  /** Chances of each, from 0 to 1. */
  readonly lostRequest: number;
  readonly lostAnswer: number;
  readonly busy: number;
  readonly broken: number;
  readonly late: number;
  /** The server does not know who asks, until he wakes the line again. */
  readonly signedOut: number;
};
export const CALM: Weather = { lostRequest: 0, lostAnswer: 0, busy: 0, broken: 0, late: 0, signedOut: 0 };
export const STORM: Weather = { lostRequest: 0.15, lostAnswer: 0.15, busy: 0.1, broken: 0.05, late: 0.4, signedOut: 0.04 };

export const FRAME: FrameOut = {
  id: "frame-0",
  name: "frame 0",
  size_hw: [12, 16],
  ref: { kind: "FrameRef", dataset: "d", episode: "e", camera: "c", frame_index: 0 },
  image_digest: "ab".repeat(32),
  num_masks: {},
};
export const RLES = [
  boxPatch(FRAME.size_hw, [1, 1, 3, 3]),
  boxPatch(FRAME.size_hw, [0, 0, 16, 12]),
  boxPatch(FRAME.size_hw, [5, 2, 6, 9]),
  boxPatch(FRAME.size_hw, [0, 0, 0, 0]),
].map((patch) => ({ kind: "RLE", ...encodeRle(patch) }) as const);

export type Line = { readonly caller: string; readonly key: string; readonly event: ReviewEvent; readonly touched: readonly string[] };

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function chanceOf(seed: number): Chance {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A record as a model makes it. */
export const recordOfTest = (id: string, rle: Pick<MaskRecord["rle"], "size_hw" | "counts">): MaskRecord =>
  recordOf(
    {
      id,
      rle: { kind: "RLE", ...rle },
      provenance: { method: "sam_raw", model: { kind: "ModelRef", name: "tiny", family: "tiny", checkpoint_sha256: "", precision: "fp32" } },
      scores: { predicted_iou: 0.9 },
    },
    "model",
    at(0),
  );

export const pick = <T>(chance: Chance, items: readonly T[]): T => {
  const found = items[Math.floor(chance() * items.length)];
  if (found === undefined) throw new Error("nothing to choose from");
  return found;
};

const turn = (): Promise<void> => new Promise((resolve_) => setImmediate(resolve_));
declare const setImmediate: (run: () => void) => void;
export const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await turn();
};

export class FakeServer {
  readonly lines: Line[] = [];
  readonly saves: { readonly caller: string; readonly key: string; readonly record: MaskRecord }[] = [];
  weather = CALM;
  /** Answers to other operations. */
  readonly others = new Map<string, (asked: LooseAsked) => Answer<unknown>>();
  #time = 0;

  constructor(private readonly chance: Chance) {}

  put(id: string, method: MaskRecord["provenance"]["method"] = "sam_raw"): void {
    const record = recordOf({ id, rle: RLES[0] ?? never(), provenance: { method }, frame: FRAME.ref, label: "cup" }, "model", at(0));
    this.saves.push({ caller: "model", key: `put-${id}`, record });
  }

  records(): readonly RecordOut[] {
    const lives = this.#lives(this.lines.length);
    return this.saves.map(({ record }) => resolve(record, lives.get(record.id) ?? []));
  }

  /** The events that touch each record, of the first so many lines. */
  #lives(until: number): ReadonlyMap<string, readonly ReviewEvent[]> {
    const lives = new Map<string, ReviewEvent[]>();
    for (const { event, touched } of this.lines.slice(0, until)) {
      for (const id of touched) lives.set(id, [...(lives.get(id) ?? []), event]);
    }
    return lives;
  }

  /** A line to the server as one person has it. */
  client(caller: string): Client {
    const call = async (operation: string, asked: LooseAsked = {}): Promise<Answer<unknown>> => {
      const { weather, chance } = this;
      if (chance() < weather.late) await turns(Math.ceil(chance() * 6));
      if (asked.signal?.aborted) return lost({ kind: "aborted" });
      if (chance() < weather.lostRequest) return lost({ kind: "unreachable", message: "lost" });
      if (chance() < weather.signedOut) return lost({ kind: "signed_out", code: "not_signed_in", message: "" });
      if (chance() < weather.busy) return lost({ kind: "busy", code: "server_stopping", message: "", retryAfterS: 0.001 });
      if (chance() < weather.broken) return lost({ kind: "failed", status: 502, code: "server_unreachable", message: "" });
      const answer = this.#answer(caller, operation, structuredClone({ ...asked, signal: undefined }));
      await turns(1 + (chance() < weather.late ? Math.ceil(chance() * 6) : 0));
      if (asked.signal?.aborted) return lost({ kind: "aborted" });
      if (chance() < weather.lostAnswer) return lost({ kind: "unreachable", message: "no answer" });
      return operation === "stream_events" ? answer : structuredClone(answer);
    };
    return { call: call as unknown as Client["call"] };
  }

  #answer(caller: string, operation: string, asked: LooseAsked): Answer<unknown> {
    const key = asked.headers?.["Idempotency-Key"] ?? "";
    if (operation === "add_events") return this.#edit(caller, key, asked.body as EventsIn);
    if (operation === "add_records") return this.#save(caller, key, asked.body as RecordsIn);
    if (operation === "list_frame_records") return good({ items: this.records(), next_cursor: null });
    if (operation === "get_record") {
      const found = this.records().find((one) => one.record.id === asked.path?.["record_id"]);
      return found === undefined ? lost({ kind: "refused", status: 404, code: "unknown_record", message: "" }) : good(found);
    }
    if (operation === "open_frame") return good({ frame: FRAME, ahead: [] });
    if (operation === "list_frames") return good({ items: [FRAME], next_cursor: null });
    if (operation === "stream_events") return good(this.#stream(Number(asked.headers?.["Last-Event-ID"] ?? this.lines.length)));
    if (operation === "tell_presence") {
      return good({ frame: FRAME.id, people: [{ name: caller, record: null }, { name: "eve", record: "a" }], kept_s: 15 });
    }
    const other = this.others.get(operation);
    if (other !== undefined) return other(asked);
    if (operation === "get_timeline") return good({ first_frame: 0, last_frame: 0, items: [] });
    if (operation === "list_timeline_spans" || operation === "list_jobs") return good({ items: [], next_cursor: null });
    if (operation === "get_record_history") return this.#history(asked.path?.["record_id"] ?? "");
    throw new Error(`the test's server does not do ${operation}`);
  }

  #edit(caller: string, key: string, body: EventsIn): Answer<EditedOut> {
    const done = this.lines.filter((line) => line.caller === caller && line.key === key);
    if (done.length > 0) {
      if (done.length !== body.events.length) return lost({ kind: "refused", status: 409, code: "key_reused", message: "" });
      return good(this.#edited(done));
    }
    const now = new Map(this.records().map((one) => [one.record.id, one.etag]));
    for (const id of namedBy(body.events)) {
      if (!now.has(id)) return lost({ kind: "refused", status: 404, code: "unknown_record", message: id });
      const wanted = body.if_match?.[id];
      if (wanted === undefined) return lost({ kind: "refused", status: 428, code: "etag_missing", message: id });
      if (wanted !== now.get(id)) return lost({ kind: "conflict", code: "edit_conflict", message: id });
    }
    this.#time += 1;
    const lines = body.events.map(({ record_id, action }, i): Line => {
      const event: ReviewEvent = { kind: "ReviewEvent", id: `${caller}-${key}-${i}`, record_id, actor: caller, at: at(this.#time), action };
      return { caller, key, event, touched: this.#touchedBy(event) };
    });
    this.lines.push(...lines);
    return good(this.#edited(lines));
  }

  #touchedBy({ record_id, action }: ReviewEvent): readonly string[] {
    const target = action.kind === "Revert" ? this.lines.find((line) => line.event.id === action.event_id) : undefined;
    return [...new Set([...touchedBy(record_id, action), ...(target?.touched ?? [])])];
  }

  #edited(lines: readonly Line[]): EditedOut {
    const lives = this.#lives(this.lines.indexOf(lines.at(-1) ?? never()) + 1);
    const records = new Map(this.saves.map(({ record }) => [record.id, record]));
    const ids = [...new Set(lines.flatMap((line) => line.touched))];
    const etags = Object.fromEntries(ids.map((id) => [id, resolve(records.get(id) ?? never(), lives.get(id) ?? []).etag]));
    const first = this.lines.indexOf(lines[0] ?? never());
    const items = lines.map((line, i): LoggedEventOut => ({ position: first + i + 1, moment: 1, event: line.event }));
    return { moment: 1, items, etags };
  }

  #save(caller: string, key: string, body: RecordsIn): Answer<SavedOut> {
    const done = this.saves.filter((save) => save.caller === caller && save.key === key);
    if (done.length === 0) {
      for (const one of body.records) {
        this.saves.push({ caller, key, record: recordOf({ ...one, id: one.id ?? never() }, caller, at(this.#time)) });
      }
    }
    const items = body.records.map((one) => this.saves.find((save) => save.record.id === one.id)?.record ?? never());
    return good({ moment: 1, items: items.map((record) => resolve(record, [])) });
  }

  #stream(after: number): ReadableStream<Uint8Array> {
    let position = after;
    const encoder = new TextEncoder();
    return new ReadableStream({
      pull: async (controller) => {
        while (position >= this.lines.length) await turns(1);
        const event = this.lines[position++]?.event;
        controller.enqueue(encoder.encode(`id: ${position}\nevent: review\ndata: ${JSON.stringify({ position, moment: 1, event })}\n\n`));
      },
    });
  }

  #history(id: string): Answer<unknown> {
    const record = this.saves.find((save) => save.record.id === id)?.record;
    if (record === undefined) return lost({ kind: "refused", status: 404, code: "unknown_record", message: "" });
    const events = this.#lives(this.lines.length).get(id) ?? [];
    return good({ record, put_at: at(0), put_moment: 1, events, resolved: resolve(record, events) });
  }
}

/** What people see of masks, for comparing with the server. */
export const shownBy = (masks: Masks): unknown =>
  [...masks.values()]
    .map(({ view }) => ({ id: view.record.id, status: view.status, label: view.record.label, counts: view.record.rle.counts, etag: view.etag }))
    .sort((a, b) => a.id.localeCompare(b.id));

export type LooseAsked = {
  readonly signal?: AbortSignal | undefined;
  readonly path?: { readonly [name: string]: string };
  readonly headers?: { readonly [name: string]: string };
  readonly query?: { readonly [name: string]: unknown };
  readonly body?: unknown;
};

const at = (second: number): string => `2026-01-02T03:${String(Math.floor(second / 60)).padStart(2, "0")}:${String(second % 60).padStart(2, "0")}+00:00`;
export const good = <T>(value: T): Answer<T> => ({ ok: true, status: 200, etag: null, value });
const lost = (problem: Problem): Answer<never> => ({ ok: false, problem });
const never = (): never => {
  throw new Error("cannot be");
};
