// What the dashboard shows, made of the server's figures: tiles, rows of bars, lines about jobs. Pure.

import type { GroupOut, JobOut, Operations } from "../api/types";
import { text } from "../text";

type Progress = Operations["get_progress"]["answer"];
type Pair = Operations["get_agreement"]["answer"]["pairs"][number];
type Counts = GroupOut["num_masks"];

/** A part of a bar; its kind gives its colour. */
export type BarPart = { readonly value: number; readonly kind: "good" | "bad" | "fixed" | "left" | "plain"; readonly name: string };
export type BarRow = { readonly name: string; readonly parts: readonly BarPart[]; readonly told: string };
export type Tile = { readonly name: string; readonly value: string; readonly note: string };
export type Figures = {
  readonly tiles: readonly Tile[];
  readonly episodes: readonly BarRow[];
  readonly labels: readonly BarRow[];
  readonly models: readonly BarRow[];
  readonly people: readonly BarRow[];
  readonly times: readonly BarRow[];
  readonly isCut: boolean;
};

export const isOver = ({ state }: JobOut): boolean => state !== "queued" && state !== "running";

const decided = (counts: Counts): number => (counts.accepted ?? 0) + (counts.rejected ?? 0);
const all = (counts: Counts): number => decided(counts) + (counts.proposed ?? 0);
const number = (value: number): string => value.toLocaleString("en");
const part = (value: number, kind: BarPart["kind"], name: string): BarPart => ({ value, kind, name });

export function figuresOf(progress: Progress): Figures {
  const { assisted, drawn } = progress;
  return {
    tiles: tilesOf(progress),
    episodes: progress.episodes.map((one) => rowOf(episodeName(one), one.num_masks)),
    labels: progress.labels.map((one) => rowOf(one.name ?? text.noLabel, one.num_masks)),
    models: progress.models.map(modelRow),
    people: progress.annotators.map(({ name, num_masks, effort }) => {
      const pace = effort.masks_per_hour;
      const told = `${pace === null ? text.dashboard.unknown : text.dashboard.perHour(pace)}, ${text.masks(num_masks)}`;
      return { name, parts: [part(Math.round(pace ?? 0), "plain", text.dashboard.pace)], told };
    }),
    times: [timeRow(text.progress.assisted, assisted.seconds_per_mask), timeRow(text.progress.drawn, drawn.seconds_per_mask)].flatMap((row) => row ?? []),
    isCut: progress.is_cut,
  };
}

/** How each two people agree, as bars. */
export const agreementFigures = (pairs: readonly Pair[]): readonly BarRow[] =>
  pairs.map(({ first, second, num_masks, num_same, mean_iou }) => ({
    name: text.pairs.of(first, second),
    parts: [part(num_same, "good", text.differences.none), part(num_masks - num_same, "bad", text.pairs.different)],
    told: text.pairs.together(num_same, num_masks, mean_iou),
  }));

function tilesOf(progress: Progress): readonly Tile[] {
  const { num_masks, num_frames, num_frames_left, hours_left, assisted, drawn, models } = progress;
  const done = decided(num_masks);
  const whole = all(num_masks);
  const right = models.reduce((sum, one) => sum + one.num_accepted, 0);
  const judged = models.reduce((sum, one) => sum + one.num_accepted + one.num_corrected + one.num_rejected, 0);
  const [slow, quick] = [drawn.seconds_per_mask, assisted.seconds_per_mask];
  return [
    { name: text.progress.decided, value: whole === 0 ? "–" : text.dashboard.percent(done / whole), note: `${number(done)} / ${number(whole)}` },
    { name: text.dashboard.frames, value: number(num_frames_left), note: `/ ${number(num_frames)}` },
    { name: text.dashboard.toGo, value: hours_left === null ? "–" : text.dashboard.hours(hours_left), note: hours_left === null ? text.dashboard.unknown : "" },
    {
      name: text.dashboard.pace,
      value: assisted.masks_per_hour === null ? "–" : text.dashboard.perHour(assisted.masks_per_hour),
      note: slow !== null && quick !== null ? text.dashboard.faster(slow / quick) : assisted.masks_per_hour === null ? text.dashboard.noPace : "",
    },
    { name: text.dashboard.rate, value: judged === 0 ? "–" : text.dashboard.percent(right / judged), note: judged === 0 ? text.dashboard.unknown : `${number(right)} / ${number(judged)}` },
  ];
}

const episodeName = ({ dataset, name }: GroupOut): string => (name === null ? text.dashboard.loose : dataset === null ? name : `${dataset} ${name}`);

const rowOf = (name: string, counts: Counts): BarRow => ({
  name,
  parts: [
    part(counts.accepted ?? 0, "good", text.statuses.accepted),
    part(counts.rejected ?? 0, "bad", text.statuses.rejected),
    part(counts.proposed ?? 0, "left", text.statuses.proposed),
  ],
  told: `${number(decided(counts))} / ${number(all(counts))}`,
});

function modelRow({ name, checkpoint_sha256, num_accepted, num_corrected, num_rejected, acceptance_rate }: Progress["models"][number]): BarRow {
  return {
    name: text.dashboard.checkpoint(name, checkpoint_sha256),
    parts: [
      part(num_accepted, "good", text.dashboard.asProposed),
      part(num_corrected, "fixed", text.dashboard.corrected),
      part(num_rejected, "bad", text.statuses.rejected),
    ],
    told: acceptance_rate === null ? text.dashboard.unknown : text.dashboard.percent(acceptance_rate),
  };
}

const timeRow = (name: string, seconds: number | null): BarRow | null =>
  seconds === null ? null : { name, parts: [part(Math.round(seconds * 10) / 10, "plain", text.dashboard.times)], told: text.dashboard.seconds(seconds) };

// What a job came to has a shape of its own for each kind; it is read with care, as an older server may have written it.

type Loose = { readonly [name: string]: unknown };
const isLoose = (value: unknown): value is Loose => typeof value === "object" && value !== null;
const listIn = (found: Loose, name: string): readonly Loose[] => {
  const list = found[name];
  return Array.isArray(list) ? list.filter(isLoose) : [];
};
const textIn = (found: Loose, name: string): string => (typeof found[name] === "string" ? found[name] : "");
const numberIn = (found: Loose, name: string): number => (typeof found[name] === "number" ? found[name] : 0);

/** What an export wrote, and what its format could not keep, in lines. */
export function lossesIn({ result }: JobOut): readonly string[] {
  if (result === null) return [];
  const skipped = listIn(result, "skipped").length;
  return [
    text.exports.told(numberIn(result, "num_masks"), numberIn(result, "num_frames")),
    ...listIn(result, "losses").map((one) => text.exports.lost(textIn(one, "what"), numberIn(one, "count"))),
    ...(skipped > 0 ? [text.exports.left(skipped)] : []),
  ];
}

export type Finding = {
  readonly check: string;
  readonly severity: string;
  readonly says: string;
  readonly advice: string;
  readonly count: number;
  readonly numMore: number;
  readonly examples: readonly { readonly text: string; readonly frame: string | null; readonly recordId: string | null }[];
};
export type Audit = { readonly numMasks: number; readonly numFrames: number; readonly isClean: boolean; readonly findings: readonly Finding[] };

/** What an audit found; null until it is done. */
export function findingsIn({ kind, result }: JobOut): Audit | null {
  if (kind !== "audit" || result === null) return null;
  const findings = listIn(result, "findings").map((one): Finding => ({
    check: textIn(one, "check"),
    severity: textIn(one, "severity"),
    says: textIn(one, "says"),
    advice: textIn(one, "advice"),
    count: numberIn(one, "count"),
    numMore: numberIn(one, "num_more"),
    examples: listIn(one, "examples").map((example) => ({
      text: textIn(example, "text"),
      frame: textIn(example, "frame") || null,
      recordId: textIn(example, "record_id") || null,
    })),
  }));
  return { numMasks: numberIn(result, "num_masks"), numFrames: numberIn(result, "num_frames"), isClean: result["is_clean"] === true, findings };
}
