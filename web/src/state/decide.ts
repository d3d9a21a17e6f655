// What a person decides about masks: each becomes entries of the outbox, shows at once, and can be taken back.

import type { Client } from "../api/client";
import type { EventIn, MaskVersionOut, RecordOut, RLE } from "../api/types";
import type { Patch, Rle } from "../masks/patch";
import { isLocal, type Entry } from "../sync/entry";
import type { Storage } from "../sync/storage";
import { canRedo, canUndo } from "../tools/draft";
import type { EntryKind } from "./events";
import { isTouched, originOf } from "./hand";
import { planCommit, planEach, planEdit, planMerge, planSave, planSplit, type Maker } from "./plan";
import { canBePart } from "./parts";
import { nextRedo, nextUndo, nextUnreviewed, visibleMasks } from "./select";
import type { Store } from "./store";
import { tagOf } from "./tags";
import { revertsOf, UNDONE_REASON } from "./undo";
import type { Done } from "./values";

export type DecideParts = {
  readonly store: Store;
  readonly client: () => Client;
  readonly storage: Storage;
  readonly maker: Maker;
  readonly encode: (patch: Patch) => Promise<Rle>;
  readonly openFrame: (id: string) => Promise<void>;
  /** A queue may go on its own way after decisions about some masks; false where it does not. */
  readonly goesOn?: (ids: readonly string[]) => boolean;
};

export type Decide = ReturnType<typeof createDecide>;

const RECENT = "recent_labels";
// Undoing more than this shows when the server has answered, not before.
const MOST_HISTORIES = 20;

export function createDecide({ store, client, storage, maker, encode, openFrame, goesOn: goesOnElsewhere = () => false }: DecideParts) {
  const state = store.get;

  function add(entries: readonly Entry[], kind: EntryKind = { name: "do" }): void {
    if (entries.length > 0) store.dispatch({ type: "entries-added", entries, kind });
  }

  /** Decide about masks, and go on to the next that waits if the selection was decided about. */
  function each(name: string, ids: readonly string[], action: EventIn["action"], goesOn: boolean): void {
    const wanted = ids.filter((id) => state().masks.has(id));
    if (wanted.length === 0) return;
    const next = goesOn ? nextUnreviewed(state(), wanted.at(-1) ?? null) : null;
    add(planEach(state(), maker, name, wanted, action));
    if (goesOn && !goesOnElsewhere(wanted)) store.dispatch({ type: "selected", ids: next === null || wanted.includes(next) ? [] : [next], how: "only" });
  }

  const accept = (ids = state().selection): void => each("accept", ids, { kind: "Accept" }, true);
  const reject = (ids = state().selection, reason: string | null = null, name = "reject"): void =>
    each(name, ids, { kind: "Reject", reason }, true);

  const proposals = (): readonly string[] =>
    visibleMasks(state()).filter(({ view }) => view.status === "proposed").map(({ view }) => view.record.id);
  const acceptVisible = (): void => each("accept_visible", proposals(), { kind: "Accept" }, false);
  const rejectVisible = (): void => each("reject_visible", proposals(), { kind: "Reject", reason: null }, false);

  /** Name the mask in hand, or the selected ones. */
  function relabel(label: string | null, ids = state().selection): void {
    if (state().hand !== null) store.dispatch({ type: "hand-labelled", label });
    else each("edit_label", ids.filter((id) => state().masks.get(id)?.view.record.label !== label), { kind: "Relabel", label }, false);
    if (label === null) return;
    const labels = [label, ...state().recentLabels.filter((one) => one !== label)];
    store.dispatch({ type: "recent-labels-told", labels });
    void storage.write([{ area: "settings", key: RECENT, value: state().recentLabels }]).catch(() => undefined);
  }

  const comment = (said: string, ids = state().selection): void => each("comment", ids, { kind: "Comment", text: said }, false);

  /** Make a mask what it is to somebody: nothing if there are no pixels. It may be on another frame. */
  function takeVersion(name: string, { record, status }: RecordOut, frame: string, version: Pick<MaskVersionOut, "rle" | "label">, others: readonly RecordOut[]): void {
    const { rle, label } = version;
    const actions: readonly EventIn["action"][] =
      rle === null
        ? [{ kind: "Reject", reason: null }]
        : [
            ...(rle.counts === record.rle.counts ? [] : [{ kind: "Edit", rle } as const]),
            ...(label === record.label ? [] : [{ kind: "Relabel", label } as const]),
            { kind: "Accept" },
          ];
    if (status === "merged" || status === "split") return;
    const events = actions.map((action): EventIn => ({ record_id: record.id, action }));
    add(planEdit(state(), maker, name, events, { isAtomic: true, others, frame }));
  }

  /** Take one event of a mask's history back, whoever did it. */
  const revert = (id: string, event_id: string): void => each("undo", [id], { kind: "Revert", event_id }, false);

  /** Make masks parts of another, or masks of their own. Those that it is a part of itself stay as they are. */
  function reparent(parent: string | null, ids: readonly string[]): void {
    const { masks } = state();
    const wanted = ids.filter((id) => masks.get(id)?.view.record.parent !== parent && (parent === null || canBePart(masks, id, parent)));
    each(parent === null ? "make_whole" : "make_part", wanted, { kind: "Reparent", parent }, false);
  }

  const retrack = (track: string | null, ids = state().selection): void => each("merge_tracks", ids, { kind: "Retrack", track }, false);

  /** Records of other frames too: the rest of a track, as the server has them. */
  function retrackAll(name: string, track: string | null, records: readonly RecordOut[]): void {
    const events = records.map(({ record }): EventIn => ({ record_id: record.id, action: { kind: "Retrack", track } }));
    add(planEdit(state(), maker, name, events, { isAtomic: false, others: records }));
  }

  async function merge(ids: readonly string[], union: Patch): Promise<void> {
    const [into, ...absorbed] = ids;
    if (into === undefined || absorbed.length === 0) return;
    const rle = await rleOf(union);
    told(into, rle, union);
    add(planMerge(state(), maker, into, absorbed, rle));
    store.dispatch({ type: "selected", ids: [into], how: "only" });
  }

  async function split(id: string, pieces: readonly Patch[]): Promise<void> {
    if (pieces.length < 2) return;
    const rles = await Promise.all(pieces.map(rleOf));
    add(planSplit(state(), maker, id, rles));
  }

  /** Save masks that nobody has decided about: what "segment everything" found, or pieces that were cut off. */
  function propose(records: readonly RecordOut["record"][]): void {
    const { frame } = state();
    if (frame === null || records.length === 0) return;
    const group = maker.newId();
    const fresh = records.map(({ rle, provenance, scores, label, image_digest }) => ({
      ...{ id: maker.newId(), rle, scores, label, image_digest, frame: frame.ref },
      provenance: { ...provenance, actor: null },
    }));
    const parts = Array.from({ length: Math.ceil(fresh.length / 1000) }, (_, i) => fresh.slice(i * 1000, (i + 1) * 1000));
    add(parts.map((part) => planSave(state(), maker, "segment_everything", part, group)));
  }

  /** What is in hand goes into the store. */
  async function commit(isAccepted = true): Promise<void> {
    const { hand } = state();
    if (hand === null || hand.draft.gesture !== null) return;
    const { patch, pieces: cutOff = [] } = hand.draft.work;
    const [rle, pieces] = await Promise.all([rleOf(patch), Promise.all(cutOff.map(rleOf))]);
    if (state().hand !== hand || patch.bits.every((bit) => bit === 0)) return;
    const { base, label, parent = null } = hand;
    const entries = planCommit(state(), maker, { base, rle, origin: originOf(hand.draft), label, parent, isAccepted, pieces });
    const id = base ?? savedBy(entries);
    if (id !== null) told(id, rle, patch);
    add(entries);
    store.dispatch({ type: "hand-dropped" });
    if (base !== null && goesOnElsewhere([base])) return;
    const next = base === null ? id : nextUnreviewed(state(), base);
    store.dispatch({ type: "selected", ids: next === null ? [] : [next], how: "only" });
  }

  async function undo(): Promise<void> {
    const { hand } = state();
    if (hand !== null && canUndo(hand.draft)) return store.dispatch({ type: "hand-undone" });
    if (hand !== null && isTouched(hand)) return;
    await inTurn(() => takeBack(nextUndo(state()), "undo"));
  }

  async function redo(): Promise<void> {
    const { hand } = state();
    if (hand !== null && canRedo(hand.draft)) return store.dispatch({ type: "hand-redone" });
    if (hand !== null && isTouched(hand)) return;
    await inTurn(() => takeBack(nextRedo(state()), "redo"));
  }

  // Two presses in quick succession are two things taken back, not twice the same.
  let line: Promise<void> = Promise.resolve();
  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = line.then(work);
    line = done.catch(() => undefined);
    return done;
  }

  // People see what they take back: it is done on the frame it belongs to, and with the masks' whole lives at hand.
  async function takeBack(done: Done | null, kind: "undo" | "redo"): Promise<void> {
    if (done === null) return;
    if (done.frame !== null && done.frame !== state().frame?.id) await openFrame(done.frame);
    const others = await readUnknown(done);
    const events = revertsOf(done);
    const tags = Object.fromEntries(done.saved.map((id) => [id, tagOf(0, null)])); // nobody else knows of them yet
    const how = { isAtomic: done.isAtomic, others, tags };
    add(planEdit(state(), maker, done.name, events, how), { name: kind, of: done.group });
    const ids = [...new Set(events.map((event) => event.record_id))].filter((id) => state().masks.has(id));
    store.dispatch({ type: "selected", ids, how: "only" });
  }

  async function readUnknown(done: Done): Promise<readonly RecordOut[]> {
    const ids = [...new Set(done.events.filter(isUnseen).map((one) => one.recordId))];
    const found: RecordOut[] = [];
    for (const id of ids.slice(0, MOST_HISTORIES)) {
      const answer = await client().call("get_record_history", { path: { record_id: id } });
      if (!answer.ok) break;
      store.dispatch({ type: "history-told", history: answer.value });
      found.push(answer.value.resolved);
    }
    return found;
  }

  function isUnseen({ recordId, eventId }: Done["events"][number]): boolean {
    return !isLocal(eventId) && state().masks.get(recordId)?.since.some((event) => event.id === eventId) !== true;
  }

  const rleOf = async (patch: Patch): Promise<RLE> => ({ kind: "RLE", ...(await encode(patch)) });
  // So that the mask does not blink while its own run lengths are decoded.
  const told = (id: string, rle: RLE, patch: Patch): void => store.dispatch({ type: "patches-made", items: [{ id, counts: rle.counts, patch }] });

  /** Pieces of a split that was let go are not masks of their own. */
  function tidy(gone: readonly Entry[]): readonly Entry[] {
    const unsaved = new Set(gone.flatMap(({ request }) => (request.kind === "save" ? request.records.map((one) => one.id) : [])));
    const pieces = gone.flatMap(({ request }) =>
      request.kind === "edit" ? request.events.flatMap(({ action }) => (action.kind === "Split" ? action.into : [])) : [],
    );
    const left = pieces.filter((id) => !unsaved.has(id) && state().masks.has(id));
    return left.length === 0 ? [] : planEach(state(), maker, "split", left, { kind: "Reject", reason: UNDONE_REASON });
  }

  async function restoreRecent(): Promise<void> {
    const kept = (await storage.read("settings").catch(() => new Map<string, unknown>())).get(RECENT);
    if (Array.isArray(kept)) store.dispatch({ type: "recent-labels-told", labels: kept.filter((one) => typeof one === "string") });
  }

  return {
    ...{ accept, reject, acceptVisible, rejectVisible, relabel, comment, takeVersion, reparent, revert, retrack, retrackAll, merge, split, propose },
    ...{ commit, undo, redo, tidy, restoreRecent },
  };
}

function savedBy(entries: readonly Entry[]): string | null {
  const save = entries.find((one) => one.request.kind === "save");
  return save?.request.kind === "save" ? (save.request.records[0]?.id ?? null) : null;
}
