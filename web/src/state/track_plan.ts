// What people do to tracks, as entries for the outbox: split, merge, mark, take out, interpolate. Pure. The same events as
// `maskwright tracks` writes, so that neither can tell which was used.

import type { EventIn, FrameOut, MaskRecord, ProvenanceIn, RecordOut, RLE } from "../api/types";
import { emptyPatch } from "../masks/patch";
import { encodeRle } from "../masks/rle";
import { sha256 } from "../masks/sha256";
import type { Entry } from "../sync/entry";
import { isKeyframe } from "../time/spans";
import { newRecord, planEdit, planSave, type Maker, type NewRecord } from "./plan";
import type { State } from "./values";

/** The step of an empty keyframe beyond which there is no track. */
export const END = "end_track";
export const INTERPOLATE = "interpolate";
export const MARK = "mark_track_state";

type Action = EventIn["action"];
type Step = readonly [string, Action];

export const isListed = ({ status }: RecordOut): boolean => status === "proposed" || status === "accepted";
export const indexOf = ({ record }: RecordOut): number => record.frame?.frame_index ?? -1;

/** Name a keyframe by its frame and a digest of its pixels, as the tracker does. */
export const anchorOf = (index: number, { size_hw, counts }: RLE): string =>
  `${index}:${sha256(`${size_hw[0]},${size_hw[1]};${counts}`).slice(0, 16)}`;

/** Save some records, each on its frame, and do things to these and others; all of it is undone at once. */
function planAll(
  state: State,
  maker: Maker,
  name: string,
  records: readonly NewRecord[],
  steps: readonly Step[],
  others: readonly RecordOut[],
): readonly Entry[] {
  const group = maker.newId();
  const here = records.filter((one) => one.frame?.frame_index === state.frame?.ref?.frame_index);
  const elsewhere = records.filter((one) => !here.includes(one));
  const fresh = records.map((one) => newRecord(one, maker));
  const saves = [
    ...(here.length === 0 ? [] : [planSave(state, maker, name, here, group)]),
    // On no frame of the page: what belongs elsewhere must not show on the open one.
    ...parts(elsewhere).map((part) => ({ ...planSave(state, maker, name, part, group), frame: null })),
  ];
  const events = steps.map(([record_id, action]): EventIn => ({ record_id, action }));
  if (events.length === 0) return saves;
  return [...saves, ...planEdit(state, maker, name, events, { isAtomic: false, group, others: [...others, ...fresh] })];
}

const MOST_RECORDS = 200; // in one request: masks are large
const parts = <T>(list: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / MOST_RECORDS) }, (_, i) => list.slice(i * MOST_RECORDS, (i + 1) * MOST_RECORDS));

/** From frame `at` on a track is another object; each ends where the other begins. Null where it has not both. */
export function planTrackSplit(
  state: State,
  maker: Maker,
  masks: readonly RecordOut[],
  given: { readonly track: string; readonly name: string; readonly at: number; readonly frames: readonly FrameOut[] },
): readonly Entry[] | null {
  const { track, name, at, frames } = given;
  const before = masks.filter((one) => indexOf(one) < at);
  const after = masks.filter((one) => indexOf(one) >= at);
  const [like, first] = [before.findLast(isListed), after.find(isListed)];
  if (like === undefined || first === undefined) return null;
  const end = (index: number, of: string): readonly NewRecord[] => {
    const frame = frames.find((one) => one.ref?.frame_index === index);
    return frame === undefined ? [] : [emptyKeyframe(frame, maker, of, like.record.label)];
  };
  const ends = [...end(at, track), ...end(at - 1, name)];
  const steps: Step[] = after.map((one) => [one.record.id, { kind: "Retrack", track: name }]);
  // Something has to be what the others are propagated from.
  if (!after.some(isKeyframe)) steps.push([first.record.id, { kind: "Accept" }]);
  steps.push(...ends.map((one): Step => [one.id, { kind: "Accept" }]));
  return planAll(state, maker, "split_track", ends, steps, masks);
}

/** `come` becomes part of a track: where both have a mask, the better one stays. */
export function planTrackMerge(
  state: State,
  maker: Maker,
  track: string,
  stay: readonly RecordOut[],
  come: readonly RecordOut[],
): readonly Entry[] {
  const label = stay.find((one) => one.record.label !== null)?.record.label ?? null;
  const here = new Map(stay.filter(isListed).map((one) => [indexOf(one), one]));
  const steps = come.flatMap((mask): readonly Step[] => {
    const rival = isListed(mask) ? here.get(indexOf(mask)) : undefined;
    const [winner, loser] = rival === undefined ? [] : isBetter(mask, rival) ? [mask, rival] : [rival, mask];
    return [
      ...(winner === undefined || loser === undefined ? [] : [[winner.record.id, { kind: "Merge", absorbed: [loser.record.id] }] as const]),
      [mask.record.id, { kind: "Retrack", track }],
      ...(label === null || mask.record.label === label ? [] : [[mask.record.id, { kind: "Relabel", label }] as const]),
    ];
  });
  return planAll(state, maker, "merge_tracks", [], steps, [...stay, ...come]);
}

function isBetter(a: RecordOut, b: RecordOut): boolean {
  const [left, right] = [rankOf(a), rankOf(b)];
  const at = left.findIndex((one, i) => one !== right[i]);
  return at >= 0 && left[at]! > right[at]!;
}

// A mark that a track ends here says nothing any more once it goes on.
const rankOf = (mask: RecordOut): readonly number[] => [
  Number(!isEnd(mask)),
  Number(isKeyframe(mask)),
  Number(mask.record.area > 0),
  mask.record.track_point?.confidence ?? 1,
];

export const isEnd = ({ record, edited_by }: RecordOut): boolean =>
  edited_by === null && record.provenance.steps.some((one) => one.name === END);

/** Every mask of a track gets another name for it. */
export const planTrackRename = (state: State, maker: Maker, masks: readonly RecordOut[], name: string): readonly Entry[] =>
  planAll(state, maker, "name_track", [], masks.map((one) => [one.record.id, { kind: "Retrack", track: name }] as const), masks);

/** The object is not in the picture here: nothing is propagated past this frame, until the next keyframe. */
export function planOutside(
  state: State,
  maker: Maker,
  given: { readonly frame: FrameOut; readonly track: string; readonly label: string | null; readonly mask: RecordOut | null },
): readonly Entry[] {
  const { frame, track, label, mask } = given;
  if (mask === null) {
    const record = emptyKeyframe(frame, maker, track, label);
    return planAll(state, maker, "outside_here", [record], [[record.id, { kind: "Accept" }]], []);
  }
  const { id } = mask.record;
  const events: readonly EventIn[] = [
    { record_id: id, action: { kind: "Edit", rle: emptyRle(mask.record.rle.size_hw) } },
    { record_id: id, action: { kind: "Accept" } },
  ];
  return planEdit(state, maker, "outside_here", events, { isAtomic: true });
}

/**
 * The object is partly hidden here, or it is not: a keyframe with the same pixels takes the mask's place, since what a
 * record says of itself never changes. Who made the pixels stays who made them; a step says what was marked.
 */
export function planState(state: State, maker: Maker, mask: RecordOut, to: "occluded" | "visible"): readonly Entry[] {
  const { record } = mask;
  const step = { kind: "ProcessingStep", name: MARK, parameters: { state: to } } as const;
  const fresh: NewRecord = {
    id: maker.newId(),
    rle: record.rle,
    frame: record.frame,
    image_digest: record.image_digest,
    label: record.label,
    track: record.track,
    scores: record.scores,
    provenance: { ...sameHand(state, mask, maker), steps: [...record.provenance.steps, step], derived_from: [record.id] },
    track_point: { kind: "TrackPoint", source: "keyframe", state: to, confidence: record.track_point?.confidence ?? 1, anchors: [] },
  };
  const steps: readonly Step[] = [
    [record.id, { kind: "Split", into: [fresh.id] }],
    [fresh.id, { kind: "Accept" }],
  ];
  return planAll(state, maker, "occluded_here", [fresh], steps, [mask]);
}

export type Between = {
  readonly before: RecordOut;
  readonly after: RecordOut;
  /** The frames in between, with the masks for them and those of the track that are there. */
  readonly frames: readonly { readonly frame: FrameOut; readonly rle: RLE; readonly old: readonly RecordOut[] }[];
};

/**
 * Masks between two keyframes, as proposals. Their anchors name the keyframes as they are, so a tracker leaves them until
 * one of these changes. Where both keyframes are a model's, so are they, refined by a step that says how.
 */
export function planInterpolation(state: State, maker: Maker, { before, after, frames }: Between): readonly Entry[] {
  const [from, to] = [indexOf(before), indexOf(after)];
  const anchors = [anchorOf(from, before.record.rle), anchorOf(to, after.record.rle)];
  const model = modelOf(before) ?? modelOf(after);
  const steps: Step[] = [];
  const others: RecordOut[] = [];
  const records = frames.map(({ frame, rle, old }): NewRecord => {
    const index = frame.ref?.frame_index ?? from;
    const share = (index - from) / (to - from);
    const id = maker.newId();
    steps.push(...old.map((one): Step => [one.record.id, { kind: "Split", into: [id] }]));
    others.push(...old);
    const step = { kind: "ProcessingStep", name: INTERPOLATE, parameters: { from, to, share } } as const;
    return {
      id,
      rle,
      frame: frame.ref,
      label: before.record.label ?? after.record.label,
      track: before.record.track,
      provenance: {
        ...(model === null ? { method: "human_drawn" } : { method: "sam_refined", model }),
        created_at: maker.at(),
        steps: [step],
        derived_from: [before.record.id, after.record.id, ...old.map((one) => one.record.id)],
      },
      track_point: { kind: "TrackPoint", source: "carried", state: "visible", confidence: sureness(share), anchors },
    };
  });
  return planAll(state, maker, "interpolate", records, steps, others);
}

// In the middle nobody has looked: half as sure as at the keyframes.
const sureness = (share: number): number => Math.round((0.5 + Math.abs(share - 0.5)) * 1000) / 1000;

const modelOf = ({ record, edited_by }: RecordOut): MaskRecord["provenance"]["model"] =>
  edited_by === null && record.provenance.method.startsWith("sam") ? record.provenance.model : null;

/** The provenance of pixels that are taken as they are. Only an admin says that masks are a simulator's or imported. */
function sameHand({ caller }: State, { record, edited_by }: RecordOut, maker: Maker): ProvenanceIn {
  const { method, model, prompt, source, licence, collector, captured_at } = record.provenance;
  const mayImport = caller === null || caller.scope === "admin";
  const isOwn = edited_by !== null || ((method === "simulator" || method === "imported") && !mayImport);
  const maker_ = isOwn ? ({ method: "human_drawn" } as const) : { method, model, prompt };
  return { ...maker_, created_at: maker.at(), source, licence, collector, captured_at };
}

function emptyKeyframe(frame: FrameOut, maker: Maker, track: string, label: string | null): NewRecord {
  const step = { kind: "ProcessingStep", name: END, parameters: { frame: frame.ref?.frame_index ?? 0 } } as const;
  return {
    id: maker.newId(),
    rle: emptyRle(frame.size_hw),
    frame: frame.ref,
    label,
    track,
    provenance: { method: "human_drawn", created_at: maker.at(), steps: [step], source: "tracks" },
    track_point: { kind: "TrackPoint", source: "keyframe", state: "outside", confidence: 1, anchors: [] },
  };
}

const emptyRle = (sizeHw: readonly [number, number]): RLE => ({ kind: "RLE", ...encodeRle(emptyPatch(sizeHw)) });
