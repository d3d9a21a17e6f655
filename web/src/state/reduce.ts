// The one place where the next state comes from. Pure and total: an event that means nothing now changes nothing.

import type { Entry } from "../sync/entry";
import { synced } from "../sync/kept";
import * as lines from "../sync/outbox";
import { enterTool } from "../tools/step";
import { limitRadius, type Tool } from "../tools/tool";
import type { HandEvent, OutboxEvent, ServerEvent, StateEvent, UserEvent } from "./events";
import { reduceHand } from "./hand";
import { edited, followed, overlaid, told, toldHistory } from "./masks";
import { wholesOf } from "./parts";
import type { Status } from "./resolve";
import type { FrameList, Mask, State } from "./values";
import { followed as followedNames, grounded, noted } from "./undo";

const MOST_NOTICES = 5;
const MOST_JOBS = 20;
const MOST_RECENT_LABELS = 20;

/** What the state is after an event. */
export function reduce(state: State, event: StateEvent): State {
  if (isHandEvent(event)) {
    const hand = reduceHand(state.hand, event);
    return hand === state.hand ? state : { ...state, hand };
  }
  if (isOutboxEvent(event)) return reduceOutbox(state, event);
  return isServerEvent(event) ? reduceServer(state, event) : reduceUser(state, event);
}

function reduceOutbox(state: State, event: OutboxEvent): State {
  switch (event.type) {
    case "entries-added": {
      const outbox = lines.added(state.outbox, event.entries);
      if (outbox === state.outbox) return state;
      return overlay({ ...state, outbox, undo: noted(state.undo, event.entries, event.kind) });
    }
    case "outbox-restored":
      return overlay({ ...state, outbox: event.outbox, undo: grounded(event.undo, event.outbox) });
    case "outbox-synced": {
      const after = event.event === null ? state : reduceOutbox(state, event.event);
      // Of the masks what happened counts; of the outbox what the sending tab made of it, which may know of more.
      return named({ ...state, masks: after.masks, undo: after.undo }, synced(state.outbox, event.changes));
    }
    case "entry-tried":
      return { ...state, outbox: lines.tried(state.outbox, event.key) };
    case "entry-saved": {
      const entry = state.outbox.waiting.find((one) => one.key === event.key);
      const isHere = entry !== undefined && entry.frame === (state.frame?.id ?? null);
      const masks = isHere ? told(state.masks, event.answer.items, []) : state.masks;
      return overlay({ ...state, outbox: lines.saved(state.outbox, event.key), masks });
    }
    case "entry-edited": {
      const masks = edited(state.masks, event.answer);
      return named({ ...state, masks }, lines.edited(state.outbox, event.key, event.answer));
    }
    case "entry-refused":
      return overlay({ ...state, outbox: lines.refused(state.outbox, event.key, event.problem) });
    case "entry-conflicted": {
      const here = Object.values(event.theirs).filter((one) => state.masks.has(one.record.id));
      const masks = told(state.masks, here, []);
      return named({ ...state, masks }, lines.conflicted(state.outbox, event.key, event.theirs));
    }
    case "held-settled": {
      if (event.choice === "keep") return overlay({ ...state, outbox: lines.kept(state.outbox, event.key) });
      const { outbox, gone } = lines.letGo(state.outbox, event.key);
      return named(state, outbox, gone);
    }
  }
}

function named(state: State, outbox: lines.Outbox, gone: readonly Entry[] = []): State {
  const undo = outbox.pasts === state.outbox.pasts ? state.undo : followedNames(state.undo, outbox.pasts, gone);
  return overlay({ ...state, outbox, undo });
}

function overlay(state: State): State {
  const masks = overlaid(state.masks, state.outbox, state.frame?.id ?? null);
  return { ...state, masks, selection: state.selection.filter((id) => masks.has(id)) };
}

function reduceServer(state: State, event: ServerEvent): State {
  switch (event.type) {
    case "caller-told":
      return { ...state, caller: event.caller, models: event.models };
    case "frames-told": {
      const items = event.isFirst ? event.items : [...state.frames.items, ...event.items];
      return { ...state, frames: { items, nextCursor: event.nextCursor } };
    }
    case "labels-told":
      return { ...state, labels: event.labels };
    case "frame-opened":
      return opened(state, event.frame);
    case "records-told": {
      if (event.frame !== state.frame?.id) return state;
      const masks = told(state.masks, event.items, event.covers);
      return overlay({ ...state, masks, isFrameLoaded: true });
    }
    case "record-told":
      if (!state.masks.has(event.record.record.id)) return state;
      return overlay({ ...state, masks: told(state.masks, [event.record], event.covers) });
    case "history-told":
      return overlay({ ...state, masks: toldHistory(state.masks, event.history) });
    case "log-followed": {
      const masks = followed(state.masks, event.logged.event);
      return masks === state.masks ? state : { ...state, masks };
    }
    case "link-changed":
      return { ...state, link: { ...state.link, ...event.link } };
    case "job-told":
      return { ...state, jobs: [event.job, ...state.jobs.filter((one) => one.id !== event.job.id)].slice(0, MOST_JOBS) };
    case "presence-told":
      return { ...state, presence: event.presence };
    case "patches-made": {
      const patches = new Map(state.patches);
      for (const { id, counts, patch } of event.items) patches.set(id, { counts, patch });
      return { ...state, patches };
    }
  }
}

// Pan, zoom, tool, filters and look stay; what belongs to the frame before does not.
function opened(state: State, frame: State["frame"] & object): State {
  if (frame.id === state.frame?.id) return { ...state, frame };
  const frames = state.isFrameLoaded ? counted(state.frames, state) : state.frames;
  return overlay({
    ...state,
    frames,
    frame,
    isFrameLoaded: false,
    masks: new Map<string, Mask>(),
    patches: new Map(),
    selection: [],
    skipped: new Set(),
    hand: null,
    presence: [],
  });
}

function counted(frames: FrameList, state: State): FrameList {
  const counts: { [status in Status]?: number } = {};
  for (const { view } of state.masks.values()) counts[view.status] = (counts[view.status] ?? 0) + 1;
  const items = frames.items.map((one) => (one.id === state.frame?.id ? { ...one, num_masks: counts } : one));
  return { ...frames, items };
}

function reduceUser(state: State, event: UserEvent): State {
  switch (event.type) {
    case "selected":
      return { ...state, selection: selected(state, event), collapsed: revealed(state, event.ids) };
    case "skipped":
      return { ...state, skipped: new Set([...state.skipped, ...event.ids]) };
    case "collapsed": {
      const others = [...state.collapsed].filter((id) => !event.ids.includes(id));
      return { ...state, collapsed: new Set([...others, ...(event.isCollapsed ? event.ids : [])]) };
    }
    case "tool-chosen":
      return toolChosen(state, event.tool);
    case "pointing-set":
      return { ...state, isPointing: event.isPointing };
    case "brush-sized":
      return { ...state, brushRadius: limitRadius(event.radius) };
    case "filter-changed":
      return { ...state, filter: { ...state.filter, ...event.filter } };
    case "sort-chosen":
      return { ...state, sort: event.sort };
    case "look-changed":
      return { ...state, look: { ...state.look, ...event.look } };
    case "key-held":
      return { ...state, held: { ...state.held, ...event.held } };
    case "time-changed":
      return { ...state, time: { ...state.time, ...event.time } };
    case "people-changed":
      return { ...state, people: { ...state.people, ...event.people } };
    case "recent-labels-told":
      return { ...state, recentLabels: [...new Set(event.labels)].slice(0, MOST_RECENT_LABELS) };
    case "noticed":
      return { ...state, notices: [...state.notices.filter((one) => one.id !== event.notice.id), event.notice].slice(-MOST_NOTICES) };
    case "notice-closed":
      return { ...state, notices: state.notices.filter((one) => one.id !== event.id) };
  }
}

function toolChosen(state: State, tool: Tool): State {
  if (tool === state.tool) return state;
  const hand = state.hand === null ? null : { ...state.hand, draft: enterTool(tool, state.hand.draft) };
  return { ...state, tool, hand };
}

/** A part that is chosen by itself comes into sight. */
function revealed({ collapsed, masks }: State, ids: readonly string[]): State["collapsed"] {
  const [only] = ids;
  if (only === undefined || ids.length > 1 || collapsed.size === 0) return collapsed;
  const above = wholesOf(masks, only);
  return above.some((id) => collapsed.has(id)) ? new Set([...collapsed].filter((id) => !above.includes(id))) : collapsed;
}

function selected(state: State, event: Extract<UserEvent, { type: "selected" }>): readonly string[] {
  const ids = event.ids.filter((id) => state.masks.has(id));
  if (event.how === "only") return [...new Set(ids)];
  if (event.how === "add") return [...new Set([...state.selection, ...ids])];
  const [before, toggled] = [new Set(state.selection), new Set(ids)];
  const kept = state.selection.filter((id) => !toggled.has(id));
  return [...kept, ...ids.filter((id) => !before.has(id))];
}

const OUTBOX = new Set<StateEvent["type"]>([
  ...(["entries-added", "outbox-restored", "entry-tried", "entry-saved", "entry-edited"] as const),
  ...(["entry-refused", "entry-conflicted", "held-settled", "outbox-synced"] as const),
]);
const SERVER = new Set<StateEvent["type"]>([
  ...(["caller-told", "frames-told", "labels-told", "frame-opened", "records-told", "record-told"] as const),
  ...(["history-told", "log-followed", "link-changed", "presence-told", "patches-made", "job-told"] as const),
]);

const isHandEvent = (event: StateEvent): event is HandEvent => event.type.startsWith("hand-");
const isOutboxEvent = (event: StateEvent): event is OutboxEvent => OUTBOX.has(event.type);
const isServerEvent = (event: StateEvent): event is ServerEvent => SERVER.has(event.type);
