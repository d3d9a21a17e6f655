// A track over time as the server tells it: spans of frames that look the same, in order and apart. Pure.

import type { MaskRecord, RecordOut, SpanOut } from "../api/types";

export type Span = SpanOut;
export type Spans = readonly Span[];
export type Kind = "keyframe" | "propagated" | "occluded" | "outside" | "rejected";

/** What a track is on the frames of a span; what nobody wants comes first, then where the object is not seen. */
export function kindOf({ status, state, is_keyframe }: Span): Kind {
  if (status === "rejected") return "rejected";
  if (state !== "visible") return state;
  return is_keyframe ? "keyframe" : "propagated";
}

/** The span of a frame; null where the track has no mask. */
export function spanAt(spans: Spans, frame: number): Span | null {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle]!.last < frame) low = middle + 1;
    else high = middle;
  }
  const found = spans[low];
  return found !== undefined && found.first <= frame ? found : null;
}

export const confidenceAt = (span: Span, frame: number): number | null => span.confidence?.[frame - span.first] ?? null;

/** The part of a span from one frame to another, both included; null if there is none. */
export function partOf(span: Span, first: number, last: number): Span | null {
  const [from, to] = [Math.max(span.first, first), Math.min(span.last, last)];
  if (from > to) return null;
  if (from === span.first && to === span.last) return span;
  const confidence = span.confidence?.slice(from - span.first, to - span.first + 1) ?? null;
  return { ...span, first: from, last: to, confidence };
}

/** What is told of some frames takes the place of what was known of them. */
export function withRange(spans: Spans, first: number, last: number, told: Spans): Spans {
  const before = spans.flatMap((one) => partOf(one, -Infinity, first - 1) ?? []);
  const after = spans.flatMap((one) => partOf(one, last + 1, Infinity) ?? []);
  const inside = told.flatMap((one) => partOf(one, first, last) ?? []).toSorted((a, b) => a.first - b.first);
  return joined([...before, ...inside, ...after]);
}

function joined(spans: Spans): Spans {
  const found: Span[] = [];
  for (const span of spans) {
    const last = found.at(-1);
    if (last !== undefined && last.last + 1 === span.first && isAlike(last, span)) {
      const confidence = last.confidence === null ? null : [...last.confidence, ...(span.confidence ?? [])];
      found[found.length - 1] = { ...last, last: span.last, confidence };
    } else found.push(span);
  }
  return found;
}

const isAlike = (a: Span, b: Span): boolean =>
  a.source === b.source &&
  a.state === b.state &&
  a.status === b.status &&
  a.is_keyframe === b.is_keyframe &&
  a.is_corrected === b.is_corrected &&
  (a.confidence === null) === (b.confidence === null);

/** What is told of all tracks on some frames takes the place of what was known of them. */
export function withFrames(known: ReadonlyMap<string, Spans>, first: number, last: number, told: Spans): ReadonlyMap<string, Spans> {
  const byTrack = new Map<string, Span[]>();
  for (const one of told) {
    const list = byTrack.get(one.track);
    if (list === undefined) byTrack.set(one.track, [one]);
    else list.push(one);
  }
  const tracks = new Set([...known.keys(), ...byTrack.keys()]);
  const next = new Map<string, Spans>();
  for (const track of tracks) {
    const spans = withRange(known.get(track) ?? [], first, last, byTrack.get(track) ?? []);
    if (spans.length > 0) next.set(track, spans);
  }
  return next;
}

/** Whether a tracker starts from a mask and never replaces it: what a person or prompt made, corrected or accepted. */
export function isKeyframe({ record, status, edited_by, verified_by }: RecordOut): boolean {
  if (record.track === null || (status !== "proposed" && status !== "accepted")) return false;
  const source = record.track_point?.source ?? "keyframe";
  return edited_by !== null || verified_by !== null || source === "keyframe";
}

/** Where the object of a mask is, as far as the mask tells: pixels that somebody corrected say it themselves. */
export function stateOf({ record, edited_by }: RecordOut): Span["state"] {
  if (edited_by !== null) return record.area > 0 ? "visible" : "outside";
  return record.track_point?.state ?? "visible";
}

/** The masks of one frame as spans of their tracks; where a track has several, the one that speaks for it. */
export function spansOfFrame(frame: number, masks: Iterable<RecordOut>): Spans {
  const best = new Map<string, RecordOut>();
  for (const mask of masks) {
    const { track } = mask.record;
    if (track === null || mask.status === "merged" || mask.status === "split") continue;
    const other = best.get(track);
    if (other === undefined || rankOf(mask) >= rankOf(other)) best.set(track, mask);
  }
  return [...best].map(([track, mask]) => ({
    track,
    first: frame,
    last: frame,
    source: mask.record.track_point?.source ?? null,
    state: stateOf(mask),
    status: mask.status,
    is_keyframe: isKeyframe(mask),
    is_corrected: mask.edited_by !== null,
    confidence: confidenceOf(mask.record),
  }));
}

const rankOf = (mask: RecordOut): number => (mask.status === "rejected" ? 0 : isKeyframe(mask) ? 2 : 1);
const confidenceOf = ({ track_point }: MaskRecord): readonly number[] | null =>
  track_point === null ? null : [track_point.confidence ?? 1];
