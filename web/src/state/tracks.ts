// What a person does to tracks: each is read as the server has it, becomes entries of the outbox, and can be taken back.

import type { Client } from "../api/client";
import type { FrameOut, RecordOut, RecordsOut, RLE } from "../api/types";
import type { Answer } from "../api/problem";
import type { Patch, Rle } from "../masks/patch";
import type { Entry } from "../sync/entry";
import { text } from "../text";
import type { Maker } from "./plan";
import { planEach } from "./plan";
import { selectedMasks } from "./select";
import type { Store } from "./store";
import { idsOfTrack, recordingOf, type Recording, type Timeline } from "./timeline";
import * as plans from "./track_plan";
import type { Notice } from "./values";

export type TracksParts = {
  readonly store: Store;
  readonly client: () => Client;
  readonly maker: Maker;
  readonly timeline: Timeline;
  readonly encode: (patch: Patch) => Promise<Rle>;
  readonly decode: (rles: readonly Rle[]) => Promise<readonly Patch[]>;
  readonly interpolate: (from: Patch, to: Patch, shares: readonly number[]) => Promise<readonly Patch[]>;
};

export type Tracks = ReturnType<typeof createTracks>;

const PAGE = 1000;
const MOST_BETWEEN = 1000; // frames that are interpolated at once
const STANDING = ["proposed", "accepted", "rejected"] as const;

export function createTracks({ store, client, maker, timeline, encode, decode, interpolate }: TracksParts) {
  const state = store.get;
  const add = (entries: readonly Entry[]): void => {
    if (entries.length > 0) store.dispatch({ type: "entries-added", entries, kind: { name: "do" } });
  };
  function say(kind: Notice["kind"], message: string): null {
    store.dispatch({ type: "noticed", notice: { id: "tracks", kind, text: message } });
    return null;
  }

  /** The track in hand: of the selected mask, or of the lane that was chosen. */
  const track = (): string | null => {
    const selected = selectedMasks(state()).at(-1);
    return selected === undefined ? timeline.get().track : selected.view.record.track;
  };
  /** Its mask on the open frame, if it has one. */
  const maskHere = (): RecordOut | null => {
    const selected = selectedMasks(state()).at(-1)?.view;
    if (selected !== undefined) return selected;
    return state().masks.get(idsOfTrack(state(), track()).at(-1) ?? "")?.view ?? null;
  };
  const here = (): { readonly recording: Recording; readonly at: number } | null => {
    const { frame } = state();
    const recording = recordingOf(frame);
    return recording === null || frame?.ref == null ? null : { recording, at: frame.ref.frame_index };
  };

  async function pages(query: object): Promise<readonly RecordOut[] | null> {
    const found: RecordOut[] = [];
    let cursor: string | null = null;
    do {
      const answer: Answer<RecordsOut> = await client().call("list_records", { query: { ...query, limit: PAGE, cursor } });
      if (!answer.ok) return say("problem", text.problem(answer.problem));
      found.push(...answer.value.items);
      cursor = answer.value.next_cursor;
    } while (cursor !== null);
    return found;
  }

  /** The masks of a track in the order of frames, rejected ones too: they say that nothing belongs there. */
  const read = ({ dataset, episode, camera }: Recording, name: string, first: number | null = null, last: number | null = null) =>
    pages({ dataset: [dataset], episode: [episode], camera: [camera], track: [name], status: STANDING, first_frame: first, last_frame: last });

  async function framesOf({ dataset, episode, camera }: Recording, first: number, last: number): Promise<readonly FrameOut[] | null> {
    const query = { dataset: [dataset], episode: [episode], camera: [camera], first_frame: Math.max(first, 0), last_frame: last, limit: PAGE };
    const answer = await client().call("list_frames", { query });
    return answer.ok ? answer.value.items : say("problem", text.problem(answer.problem));
  }

  const names = (): ReadonlySet<string> =>
    new Set([...timeline.get().lanes.map((one) => one.track), ...[...state().masks.values()].flatMap(({ view }) => view.record.track ?? [])]);

  /** A name that no track of the recording has. */
  function freeName(wanted: string): string {
    const taken = names();
    let name = wanted;
    for (let number = 2; taken.has(name); number++) name = `${wanted} ${number}`;
    return name;
  }

  /** Make a track of a mask that is in none. */
  function begin(id: string, name: string | null = null): string | null {
    const record = state().masks.get(id)?.view.record;
    if (record === undefined) return null;
    const given = name ?? freeName(record.label ?? text.time.object);
    add(planEach(state(), maker, "name_track", [id], { kind: "Retrack", track: given }));
    timeline.follow(given);
    return given;
  }

  /** Name the track of the selected mask: a new one, or another name for all of it. */
  async function name(wanted: string): Promise<void> {
    const [mask, place, given] = [maskHere(), here(), wanted.trim()];
    if (given === "" || place === null) return;
    const current = track();
    if (current === given) return;
    if (current === null) return void (mask !== null && begin(mask.record.id, given));
    if (names().has(given)) return void say("problem", text.time.nameTaken(given));
    const masks = await read(place.recording, current);
    if (masks === null) return;
    add(plans.planTrackRename(state(), maker, masks, given));
    timeline.follow(given);
  }

  function takeOut(): void {
    add(planEach(state(), maker, "untrack", state().selection, { kind: "Retrack", track: null }));
  }

  async function split(): Promise<void> {
    const [old, place] = [track(), here()];
    if (old === null || place === null) return;
    const { recording, at } = place;
    const [masks, frames] = await Promise.all([read(recording, old), framesOf(recording, at - 1, at)]);
    if (masks === null || frames === null) return;
    const fresh = freeName(old);
    const entries = plans.planTrackSplit(state(), maker, masks, { track: old, name: fresh, at, frames });
    if (entries === null) return void say("problem", text.time.notHere(old));
    add(entries);
    timeline.follow(fresh);
    say("note", text.time.split(old, at, fresh));
  }

  /** Another track becomes part of the one in hand. */
  async function merge(other: string, into = track()): Promise<void> {
    const place = here();
    if (into === null || place === null || other === into) return;
    const [stay, come] = await Promise.all([read(place.recording, into), read(place.recording, other)]);
    if (stay === null || come === null) return;
    add(plans.planTrackMerge(state(), maker, into, stay, come));
    timeline.follow(into);
    say("note", text.time.merged(other, into));
  }

  function outside(): void {
    const [mask, name_, { frame }] = [maskHere(), track(), state()];
    if (name_ === null) return void say("note", text.time.noTrackInHand);
    if (frame === null) return;
    const label = mask?.record.label ?? timeline.get().lanes.find((one) => one.track === name_)?.label ?? null;
    add(plans.planOutside(state(), maker, { frame, track: name_, label, mask }));
  }

  function occluded(): void {
    const mask = maskHere();
    if (mask?.record.track == null) return;
    addAndTake(plans.planState(state(), maker, mask, mask.record.track_point?.state === "occluded" ? "visible" : "occluded"));
  }

  /** Do it, and take in hand what replaces the mask that was. */
  function addAndTake(entries: readonly Entry[]): void {
    const here = entries.filter(({ frame }) => frame !== null && frame === state().frame?.id);
    const saved = here.flatMap(({ request }) => (request.kind === "save" ? request.records.map((one) => one.id) : []));
    add(entries);
    if (saved.length > 0) store.dispatch({ type: "selected", ids: saved, how: "only" });
  }

  /** The frames between the keyframes around the open one get masks between theirs. */
  async function between(): Promise<void> {
    const [name_, place] = [track(), here()];
    if (name_ === null) return void say("note", text.time.noTrackInHand);
    if (place === null) return;
    const { recording, at } = place;
    const ends = await endsAround(name_, at);
    if (ends === null) return void say("problem", text.time.noKeyframes(name_));
    const [first, last] = ends;
    if (last - first < 2) return void say("note", text.time.nothingBetween(first, last));
    if (last - first > MOST_BETWEEN) return void say("problem", text.time.tooFar(last - first));
    const [masks, frames] = await Promise.all([read(recording, name_, first, last), framesOf(recording, first + 1, last - 1)]);
    if (masks === null || frames === null) return;
    const here_ = (index: number): readonly RecordOut[] => masks.filter((one) => plans.indexOf(one) === index);
    const [before, after] = [here_(first).find(isStart), here_(last).find(isStart)];
    if (before === undefined || after === undefined) return void say("problem", text.time.noKeyframes(name_));
    // What somebody rejected stays away.
    const free = frames.filter((frame) => here_(frame.ref?.frame_index ?? -1).every(plans.isListed));
    const rles = await rlesBetween(before, after, free.map((frame) => ((frame.ref?.frame_index ?? first) - first) / (last - first)));
    const each = free.flatMap((frame, i) => {
      const rle = rles[i];
      return rle === undefined ? [] : [{ frame, rle, old: here_(frame.ref?.frame_index ?? -1) }];
    });
    const entries = plans.planInterpolation(state(), maker, { before, after, frames: each });
    if (track() === name_) addAndTake(entries);
    else add(entries);
    say("note", text.time.interpolated(each.length, first, last));
  }

  const isStart = (mask: RecordOut): boolean => plans.isListed(mask) && mask.record.area > 0;

  async function rlesBetween(before: RecordOut, after: RecordOut, shares: readonly number[]): Promise<readonly RLE[]> {
    const [from, to] = await decode([before.record.rle, after.record.rle]);
    if (from === undefined || to === undefined) return [];
    const patches = await interpolate(from, to, shares);
    return Promise.all(patches.map(async (patch): Promise<RLE> => ({ kind: "RLE", ...(await encode(patch)) })));
  }

  /** The keyframes around a frame; of one that is a keyframe itself, it and the next, or the one before and it. */
  async function endsAround(name_: string, at: number): Promise<readonly [number, number] | null> {
    const isHere = (await timeline.keyframeBeside(name_, at - 1, 1)) === at;
    const [before, after] = await Promise.all([timeline.keyframeBeside(name_, at, -1), timeline.keyframeBeside(name_, at, 1)]);
    if (isHere && after !== null) return [at, after];
    if (isHere && before !== null) return [before, at];
    return before === null || after === null ? null : [before, after];
  }

  return { track, maskHere, begin, name, takeOut, split, merge, outside, occluded, between, names };
}
