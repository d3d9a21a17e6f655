// Actions of the table, done. What only the canvas or the pages can do (zoom, menus, dialogs) they register here.

import type { ActionId } from "../actions/table";
import { actionOf, canPerform, digitOf } from "../actions/table";
import type { Patch } from "../masks/patch";
import { unionAll } from "../masks/algebra";
import { change, undo } from "../tools/draft";
import { cycle } from "../tools/prompting";
import type { Tool } from "../tools/tool";
import { fillHoles, smoothBoundary } from "../masks/cleanup";
import type { Decide } from "./decide";
import type { Frames } from "./frames";
import { canBePart, withParts } from "./parts";
import type { View } from "./people";
import type { Queue } from "./queue";
import type { Search } from "./search";
import { labelChoices, neighbour, nextUnreviewed, visibleMasks } from "./select";
import type { Store } from "./store";
import type { State } from "./values";

export type PerformParts = {
  readonly store: Store;
  readonly decide: Decide;
  readonly frames: Frames;
  readonly search: Search;
  readonly queue: Queue;
  readonly take: (base: string | null) => void;
  readonly pieces: (id: string) => readonly Patch[];
};

type Handler = () => unknown;

const COLOURS: readonly State["look"]["colourBy"][] = ["label", "track", "score", "status", "mask"];

export function createPerform({ store, decide, frames, search, queue, take, pieces }: PerformParts) {
  const registered = new Map<ActionId, Handler>();
  const state = store.get;
  const look = (change_: Partial<State["look"]>): void => store.dispatch({ type: "look-changed", look: change_ });
  const select = (ids: readonly string[]): void => store.dispatch({ type: "selected", ids, how: "only" });
  const one = (id: string | null): void => select(id === null ? [] : [id]);
  const tool = (name: Tool) => (): void => store.dispatch({ type: "tool-chosen", tool: name });
  const brush = (factor: number) => (): void => store.dispatch({ type: "brush-sized", radius: state().brushRadius * factor });
  const opacity = (by: number) => (): void => look({ opacity: Math.min(Math.max(state().look.opacity + by, 0), 1) });
  const stride = (sign: 1 | -1) => (): unknown => frames.step(sign * state().time.stride);
  const show = (view: View): void =>
    store.dispatch({ type: "people-changed", people: { view: state().people.view === view ? "work" : view } });
  const selected = (): string | null => state().selection.at(-1) ?? null;

  async function nextOpen(): Promise<void> {
    if (state().people.queue !== null) return queue.next();
    if (!state().isFrameLoaded) await frames.settled(); // keys are quicker than answers
    const id = nextUnreviewed(state());
    if (id !== null) return one(id);
    if (await frames.stepUnfinished(1)) one(nextUnreviewed(state(), null));
  }

  function skip(): void {
    if (state().people.queue !== null && queue.isCurrent(selected())) return void queue.next();
    store.dispatch({ type: "skipped", ids: state().selection });
    one(nextUnreviewed(state()));
  }

  function changed(work: (patch: Patch) => Patch): void {
    if (state().hand === null) take(selected());
    const { hand } = state();
    if (hand !== null) store.dispatch({ type: "hand-drawn", draft: change(hand.draft, work(hand.draft.work.patch)) });
  }

  function cycled(by: 1 | -1): void {
    const { hand } = state();
    if (hand !== null) store.dispatch({ type: "hand-drawn", draft: cycle(hand.draft, by) });
  }

  function merge(): unknown {
    const ids = state().selection;
    const patches = ids.flatMap((id) => state().patches.get(id)?.patch ?? []);
    const sizeHw = patches[0]?.sizeHw;
    if (sizeHw === undefined || patches.length < ids.length) return undefined;
    return decide.merge(ids, unionAll(sizeHw, patches));
  }

  /** The mask in hand becomes a part of the selected one; without one in hand, the selected ones of the first. */
  function makePart(): void {
    const { hand, selection, masks } = state();
    const [whole, ...others] = selection.filter((id) => id !== hand?.base);
    if (whole === undefined) return;
    if (hand === null) return decide.reparent(whole, others);
    if (hand.base === null || canBePart(masks, hand.base, whole)) store.dispatch({ type: "hand-parented", parent: whole });
  }

  function makeWhole(): void {
    if (state().hand !== null) store.dispatch({ type: "hand-parented", parent: null });
    else decide.reparent(null, state().selection);
  }

  function toggleParts(): void {
    const ids = state().selection;
    store.dispatch({ type: "collapsed", ids, isCollapsed: ids.some((id) => !state().collapsed.has(id)) });
  }

  /** Put down what is in hand; otherwise close the newest message, and then select nothing. */
  function drop(): void {
    const notice = state().notices.at(-1);
    if (state().hand !== null) store.dispatch({ type: "hand-dropped" });
    else if (notice !== undefined) store.dispatch({ type: "notice-closed", id: notice.id });
    else select([]);
  }

  function dropLast(): void {
    const { hand } = state();
    if (hand !== null) store.dispatch({ type: "hand-drawn", draft: undo(hand.draft) });
  }

  const own: { readonly [id in ActionId]?: Handler } = {
    next_frame: () => frames.step(1),
    previous_frame: () => frames.step(-1),
    forward_frames: stride(1),
    back_frames: stride(-1),
    next_unfinished_frame: () => frames.stepUnfinished(1),
    previous_unfinished_frame: () => frames.stepUnfinished(-1),
    play: () => store.dispatch({ type: "time-changed", time: { isPlaying: !state().time.isPlaying } }),
    next_mask: () => one(neighbour(state(), 1)),
    previous_mask: () => one(neighbour(state(), -1)),
    next_unreviewed: nextOpen,
    select_all: () => select(visibleMasks(state()).map(({ view }) => view.record.id)),
    select_none: () => select([]),
    accept: () => decide.accept(),
    reject: () => decide.reject(),
    delete: () => decide.reject(state().selection, "deleted", "delete"),
    accept_visible: decide.acceptVisible,
    reject_visible: decide.rejectVisible,
    skip,
    fix: () => take(selected()),
    commit: () => decide.commit(),
    drop,
    drop_last: dropLast,
    undo: decide.undo,
    redo: decide.redo,
    next_candidate: () => cycled(1),
    previous_candidate: () => cycled(-1),
    fill_holes: () => changed((patch) => fillHoles(patch)),
    smooth: () => changed((patch) => smoothBoundary(patch)),
    merge,
    make_part: makePart,
    make_whole: makeWhole,
    toggle_parts: toggleParts,
    select_parts: () => select(withParts(state().masks, state().selection)),
    split: () => (selected() === null ? undefined : decide.split(selected() ?? "", pieces(selected() ?? ""))),
    segment_everything: search.everything,
    tool_click: tool("click"),
    tool_box: tool("box"),
    tool_brush: tool("brush"),
    tool_eraser: tool("eraser"),
    tool_polygon: tool("polygon"),
    tool_lasso: tool("lasso"),
    tool_cut: tool("cut"),
    tool_everything: tool("everything"),
    tool_move: tool("move"),
    point: () => store.dispatch({ type: "pointing-set", isPointing: !state().isPointing }),
    brush_smaller: brush(1 / 1.25),
    brush_larger: brush(1.25),
    toggle_masks: () => look({ areMasksHidden: !state().look.areMasksHidden }),
    toggle_fill: () => look({ isFilled: !state().look.isFilled }),
    less_opacity: opacity(-0.1),
    more_opacity: opacity(0.1),
    colour_by: () => look({ colourBy: COLOURS[(COLOURS.indexOf(state().look.colourBy) + 1) % COLOURS.length] ?? "label" }),
    show_history: () => look({ panel: state().look.panel === "history" ? "masks" : "history" }),
    show_queues: () => look({ panel: state().look.panel === "queues" ? "masks" : "queues" }),
    queue_previous: queue.previous,
    show_dashboard: () => show("dashboard"),
    show_disagreements: () => show("disagreements"),
    help: () => look({ isHelpOpen: !state().look.isHelpOpen }),
  };

  /** Do an action, if it can be done now. False if nobody does it. */
  function perform(id: ActionId): boolean {
    if (!canPerform(actionOf(id), state())) return false;
    const digit = digitOf(id);
    if (digit !== null) {
      const label = labelChoices(state())[digit];
      if (label !== undefined) decide.relabel(label);
      return label !== undefined;
    }
    const handler = registered.get(id) ?? own[id];
    handler?.();
    return handler !== undefined;
  }

  /** Begin or end what lasts while a key is held; the pointer's own (queue, pan) the canvas sees to. */
  function hold(id: ActionId, isOn: boolean): void {
    if (id === "hide_masks") store.dispatch({ type: "key-held", held: { areMasksHidden: isOn } });
    if (id === "negative") store.dispatch({ type: "key-held", held: { isNegative: isOn } });
  }

  /** Let a component do an action as long as it is there, instead of what is done otherwise. */
  function register(id: ActionId, handler: Handler): () => void {
    registered.set(id, handler);
    return () => {
      if (registered.get(id) === handler) registered.delete(id);
    };
  }
  return { perform, hold, register };
}
