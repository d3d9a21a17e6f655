// The masks of a frame: what the server told, what it has added since, and on top what waits to be sent. Pure.

import type { EditedOut, HistoryOut, MaskRecord, RecordIn, RecordOut, ReviewEvent } from "../api/types";
import { eventsOf, type Entry } from "../sync/entry";
import type { Outbox } from "../sync/outbox";
import { measure } from "./measure";
import { asPut, goOn, touchedBy } from "./resolve";
import { versionOf } from "./tags";
import type { Mask } from "./values";

export type Masks = ReadonlyMap<string, Mask>;

/** A mask as the server told it. */
export const maskOf = (base: RecordOut): Mask => ({
  base,
  since: [],
  etag: base.etag,
  view: base,
  isPending: false,
  isUnsaved: false,
  behind: [],
});

/** Take in records as they are now. An answer older than what is known changes nothing; no mask ever goes. */
export function told(masks: Masks, items: readonly RecordOut[], covers: readonly string[]): Masks {
  const next = new Map(masks);
  for (const item of items) {
    const known = masks.get(item.record.id);
    if (known === undefined || known.isUnsaved) next.set(item.record.id, maskOf(item));
    else if (item.num_events >= versionOf(known.etag)) next.set(item.record.id, toldAgain(known, item, covers));
  }
  return next;
}

function toldAgain(known: Mask, item: RecordOut, covers: readonly string[]): Mask {
  const behind = known.behind.filter((id) => !covers.includes(id));
  // Its events since are worth keeping: with them an undo shows at once. Not if they may not be all.
  if (item.etag === known.etag && known.since.length > 0 && known.behind.length === 0) return known;
  if (item.etag === known.base.etag && known.behind.length === behind.length) return known;
  return { ...known, base: item, since: [], etag: item.etag, behind };
}

/** Take in a whole life, with which every undo can be shown. */
export function toldHistory(masks: Masks, { record, events, resolved }: HistoryOut): Masks {
  const known = masks.get(record.id);
  if (known === undefined || resolved.num_events < versionOf(known.etag)) return masks;
  const ids = new Set(events.map((event) => event.id));
  const behind = known.behind.filter((id) => !ids.has(id));
  const mask = { ...known, base: asPut(record), since: events, etag: resolved.etag, isUnsaved: false, behind };
  return new Map(masks).set(record.id, mask);
}

/** Take in events that the server has just added for us, with the etags that they gave. */
export function edited(masks: Masks, answer: EditedOut): Masks {
  const next = new Map(masks);
  const byMask = byTouched(masks, answer.items.map((one) => one.event));
  for (const [id, etag] of Object.entries(answer.etags)) {
    const mask = masks.get(id);
    if (mask === undefined || versionOf(etag) <= versionOf(mask.etag)) continue;
    const events = byMask.get(id) ?? [];
    const known = new Set(mask.since.map((event) => event.id));
    const since = [...mask.since, ...events.filter((event) => !known.has(event.id))];
    const { resolved, isExact } = goOn(mask.base, since);
    const behind = mask.behind.filter((one) => !events.some((event) => event.id === one));
    const isWhole = isExact && resolved.etag === etag;
    next.set(id, { ...mask, since, etag, behind: isWhole ? behind : [...behind, `tag:${etag}`] });
  }
  return next;
}

/** Note an event of the log that may be another person's: masks that do not have it are behind. */
export function followed(masks: Masks, event: ReviewEvent): Masks {
  const ids = touchedIn(masks, event);
  const late = ids.filter((id) => {
    const mask = masks.get(id);
    return mask !== undefined && !mask.since.some((one) => one.id === event.id) && !mask.behind.includes(event.id);
  });
  if (late.length === 0) return masks;
  const next = new Map(masks);
  for (const id of late) {
    const mask = masks.get(id);
    if (mask !== undefined) next.set(id, { ...mask, behind: [...mask.behind, event.id] });
  }
  return next;
}

/** Make views anew after the outbox changed: of the masks that entries were about before, and that they are about now. */
export function overlaid(masks: Masks, outbox: Outbox, frame: string | null): Masks {
  const pending = byTouched(masks, outbox.waiting.flatMap(eventsOf));
  const next = new Map(masks);
  for (const [id, mask] of masks) {
    if (mask.isUnsaved) next.delete(id);
  }
  for (const { record } of unsavedIn(outbox, frame)) {
    if (!next.has(record.id)) next.set(record.id, masks.get(record.id) ?? { ...maskOf(asPut(record)), isUnsaved: true });
  }
  for (const [id, mask] of next) next.set(id, viewed(mask, pending.get(id) ?? []));
  return next;
}

/** The records that wait to be saved on a frame, those that were refused too: they stay in sight. */
function unsavedIn(outbox: Outbox, frame: string | null): readonly { readonly record: MaskRecord }[] {
  const entries: readonly Entry[] = [...outbox.waiting, ...outbox.held.map((one) => one.entry)];
  return entries.flatMap(({ request, frame: place, actor, at }) =>
    request.kind === "save" && place === frame ? request.records.map((one) => ({ record: recordOf(one, actor, at) })) : [],
  );
}

const VIEWS = new WeakMap<Mask, { readonly base: RecordOut; readonly events: readonly ReviewEvent[] }>();

function viewed(mask: Mask, pending: readonly ReviewEvent[]): Mask {
  const events = [...mask.since, ...pending];
  const made = VIEWS.get(mask);
  const isSame = made?.base === mask.base && made.events.length === events.length;
  if (isSame && events.every((event, i) => event === made.events[i])) return mask;
  if (events.length === 0 && mask.view === mask.base && mask.view.etag === mask.etag) return mask;
  const resolved = goOn(mask.base, events).resolved;
  const next = { ...mask, view: { ...resolved, etag: mask.etag }, isPending: pending.length > 0 || mask.isUnsaved };
  VIEWS.set(next, { base: mask.base, events });
  return next;
}

/** Events by the masks that they touch: a revert touches what its target does, if that is known. */
function byTouched(masks: Masks, events: readonly ReviewEvent[]): ReadonlyMap<string, readonly ReviewEvent[]> {
  const found = new Map<string, ReviewEvent[]>();
  const touched = new Map<string, readonly string[]>();
  for (const event of events) {
    const target = event.action.kind === "Revert" ? touched.get(event.action.event_id) : undefined;
    const ids = target === undefined ? touchedIn(masks, event) : [...new Set([event.record_id, ...target])];
    touched.set(event.id, ids);
    for (const id of ids) {
      const list = found.get(id);
      if (list === undefined) found.set(id, [event]);
      else list.push(event);
    }
  }
  return found;
}

/** The masks that an event touches; of a revert also those that have its target among their events. */
function touchedIn(masks: Masks, event: ReviewEvent): readonly string[] {
  const own = touchedBy(event.record_id, event.action);
  if (event.action.kind !== "Revert") return own;
  const others = whereSince(masks).get(event.action.event_id) ?? [];
  return others.length === 0 ? own : [...new Set([...own, ...others])];
}

const WHERE = new WeakMap<Masks, ReadonlyMap<string, readonly string[]>>();

/** The masks that have an event since their base, by the event. */
function whereSince(masks: Masks): ReadonlyMap<string, readonly string[]> {
  const known = WHERE.get(masks);
  if (known !== undefined) return known;
  const found = new Map<string, string[]>();
  for (const [id, mask] of masks) {
    for (const event of mask.since) {
      const list = found.get(event.id);
      if (list === undefined) found.set(event.id, [id]);
      else list.push(id);
    }
  }
  WHERE.set(masks, found);
  return found;
}

/** A record that is not saved yet, as it will be. */
export function recordOf(given: RecordIn & { readonly id: string }, actor: string, at: string): MaskRecord {
  const { area, box } = measure(given.rle);
  const { provenance, frame, scores } = given;
  return {
    kind: "MaskRecord",
    id: given.id,
    image_digest: given.image_digest ?? "",
    rle: given.rle,
    box_xyxy: box,
    area,
    provenance: {
      kind: "Provenance",
      method: provenance.method,
      created_at: provenance.created_at ?? at,
      model: provenance.model ?? null,
      prompt: provenance.prompt ?? null,
      steps: provenance.steps ?? [],
      actor: provenance.actor ?? actor,
      collector: provenance.collector ?? null,
      captured_at: provenance.captured_at ?? null,
      licence: provenance.licence ?? null,
      derived_from: provenance.derived_from ?? [],
      source: provenance.source ?? null,
    },
    frame: frame ? { ...frame, kind: "FrameRef" } : null,
    label: given.label ?? null,
    track: given.track ?? null,
    parent: given.parent ?? null,
    scores: {
      kind: "Scores",
      predicted_iou: scores?.predicted_iou ?? null,
      stability: scores?.stability ?? null,
      agreement: scores?.agreement ?? null,
    },
    track_point: given.track_point ?? null,
  };
}

