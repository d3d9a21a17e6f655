// Every action by name: the one table from which keys, tooltips, menus and the overlay of shortcuts come. What an action
// does is decided where it is performed (`state/review.ts`, the canvas); when it can be done is decided here.

import { canRedo, canUndo } from "../tools/draft";
import { nextRedo, nextUndo, selectedMasks } from "../state/select";
import type { State } from "../state/values";
import { mayDo, needOf } from "./roles";

const digits = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"] as const;
export type Digit = (typeof digits)[number];

export type ActionId =
  | "next_frame" | "previous_frame" | "forward_frames" | "back_frames" | "next_unfinished_frame" | "previous_unfinished_frame" | "play"
  | "next_mask" | "previous_mask" | "next_unreviewed" | "select_all" | "select_none"
  | "reject_reason" | "comment" | "queue_previous"
  | "accept" | "reject" | "skip" | "fix" | "accept_visible" | "reject_visible"
  | "commit" | "drop" | "drop_last" | "undo" | "redo" | "delete"
  | "next_candidate" | "previous_candidate" | "queue_clicks" | "negative"
  | "tool_click" | "tool_box" | "tool_brush" | "tool_eraser" | "tool_polygon" | "tool_lasso" | "tool_cut" | "tool_everything" | "tool_move"
  | "brush_smaller" | "brush_larger" | "fill_holes" | "smooth" | "merge" | "split"
  | "make_part" | "make_whole" | "select_parts" | "toggle_parts"
  | "segment_everything" | "segment_text"
  | "edit_label" | `label_${Digit}`
  | "next_keyframe" | "previous_keyframe" | "go_to_frame"
  | "propagate_forward" | "propagate_back" | "propagate_both" | "cancel_propagation"
  | "name_track" | "split_track" | "merge_tracks" | "untrack" | "outside_here" | "occluded_here" | "interpolate"
  | "show_timeline" | "show_cameras"
  | "hide_masks" | "toggle_masks" | "toggle_fill" | "less_opacity" | "more_opacity" | "colour_by"
  | "zoom_fit" | "zoom_actual" | "zoom_in" | "zoom_out" | "zoom_mask" | "pan"
  | "show_history" | "show_dashboard" | "focus_filter" | "next_region" | "previous_region" | "help"
  | "show_queues" | "show_disagreements"
  | "take_first" | "take_second" | "next_pair" | "previous_pair" | "open_pair"
  | "point" | "pointer_press" | "pointer_press_negative"
  | `pointer_${Way}` | `pointer_${Way}_fine`;

const ways = ["left", "right", "up", "down"] as const;
export type Way = (typeof ways)[number];

export type ActionGroup = "move" | "review" | "hand" | "tools" | "pointer" | "labels" | "time" | "view" | "compare";

export type ActionSpec = {
  readonly id: ActionId;
  readonly group: ActionGroup;
  /** Keys of our own preset. */
  readonly keys: readonly string[];
  /** It lasts as long as the key is held. */
  readonly isHeld: boolean;
  /** Holding the key down does it again and again. */
  readonly isRepeated: boolean;
  /**
   * Whether it needs a mask in hand, or that there is none, or the view of disagreements: such may share a key. While keys move the pointer,
   * what needs that goes before whatever else has the same key.
   */
  readonly when: When;
  readonly isEnabled: (state: State) => boolean;
};

export type When = "any" | "hand" | "no_hand" | "pointing" | "compare";
type Given = Partial<Pick<ActionSpec, "isHeld" | "isRepeated" | "isEnabled" | "when">>;

const always = (): boolean => true;
const hasHand = ({ hand }: State): boolean => hand !== null;
const hasFrame = ({ frame }: State): boolean => frame !== null;
const hasSelection = (state: State): boolean => state.selection.length > 0;
const hasFew = (state: State): boolean => selectedMasks(state).length > 1;
const hasWhole = ({ hand, selection }: State): boolean => selection.filter((id) => id !== hand?.base).length > (hand === null ? 1 : 0);
const isPart = (state: State): boolean =>
  state.hand === null ? selectedMasks(state).some(({ view }) => view.record.parent !== null) : (state.hand.parent ?? null) !== null;
const mayWrite = ({ caller }: State): boolean => caller === null || caller.scope !== "read";
const canDecide = (state: State): boolean => mayWrite(state) && hasSelection(state);
const canRejectOrDrop = (state: State): boolean => mayWrite(state) && (hasSelection(state) || state.hand?.base != null);
const hasTrack = (state: State): boolean => mayWrite(state) && selectedMasks(state).some(({ view }) => view.record.track !== null);
const canFollow = (state: State): boolean => canEdit(state) && state.frame?.ref != null && (hasHand(state) || hasSelection(state));
const isFollowing = ({ jobs }: State): boolean => jobs.some((job) => job.kind === "track" && (job.state === "queued" || job.state === "running"));
const hasCandidates = ({ hand }: State): boolean => (hand?.draft.work.candidates.length ?? 0) > 1;
const canEdit = (state: State): boolean => mayWrite(state) && hasFrame(state);
const canTakeBack = (state: State): boolean => (state.hand !== null && canUndo(state.hand.draft)) || (mayWrite(state) && nextUndo(state) !== null);
const canDoAgain = (state: State): boolean => (state.hand !== null && canRedo(state.hand.draft)) || (mayWrite(state) && nextRedo(state) !== null);

const spec = (group: ActionGroup, id: ActionId, keys: readonly string[], given: Given = {}): ActionSpec => ({
  id,
  group,
  keys,
  isHeld: false,
  isRepeated: false,
  when: "any",
  isEnabled: always,
  ...given,
});
const noHand = { when: "no_hand" } as const;
const inHand = { when: "hand" } as const;
const pointing = { when: "pointing" } as const;
const compare = { when: "compare" } as const;
const repeated = { isRepeated: true };
const held = { isHeld: true };

const arrowOf = (way: Way): string => `Arrow${way.charAt(0).toUpperCase()}${way.slice(1)}`;

export const ACTIONS: readonly ActionSpec[] = [
  spec("move", "next_frame", ["D", "ArrowRight"], { ...repeated, isEnabled: hasFrame }),
  spec("move", "previous_frame", ["A", "ArrowLeft"], { ...repeated, isEnabled: hasFrame }),
  spec("move", "forward_frames", ["Shift+ArrowRight"], { ...repeated, isEnabled: hasFrame }),
  spec("move", "back_frames", ["Shift+ArrowLeft"], { ...repeated, isEnabled: hasFrame }),
  spec("move", "next_unfinished_frame", ["Shift+D"], { isEnabled: hasFrame }),
  spec("move", "previous_unfinished_frame", ["Shift+A"], { isEnabled: hasFrame }),
  spec("move", "next_mask", ["Tab", "ArrowDown"], { ...repeated, isEnabled: hasFrame }),
  spec("move", "previous_mask", ["Shift+Tab", "ArrowUp"], { ...repeated, isEnabled: hasFrame }),
  spec("move", "next_unreviewed", ["N"], { isEnabled: hasFrame }),
  spec("move", "queue_previous", ["Shift+N"], { isEnabled: ({ people }) => people.walk !== null && people.walk.place > 0 }),
  spec("move", "select_all", ["Ctrl+A"], { isEnabled: hasFrame }),
  spec("move", "select_none", ["Ctrl+Shift+A"], { isEnabled: hasSelection }),
  spec("move", "next_region", ["F6"]),
  spec("move", "previous_region", ["Shift+F6"]),

  spec("review", "accept", ["Enter"], { ...noHand, isEnabled: canDecide }),
  spec("review", "reject", ["R"], { ...noHand, isEnabled: canDecide }),
  spec("review", "reject_reason", ["Shift+R"], { isEnabled: canRejectOrDrop }),
  spec("review", "comment", ["Shift+T"], { isEnabled: canDecide }),
  spec("review", "skip", ["S"], { ...noHand, isEnabled: hasSelection }),
  spec("review", "fix", ["F"], { ...noHand, isEnabled: canDecide }),
  spec("review", "accept_visible", ["Ctrl+Enter"], { isEnabled: canEdit }),
  spec("review", "reject_visible", ["Ctrl+Shift+R"], { isEnabled: canEdit }),

  spec("hand", "commit", ["Enter"], { ...inHand, isEnabled: mayWrite }),
  spec("hand", "drop", ["Escape"], { isEnabled: (state) => hasHand(state) || hasSelection(state) || state.notices.length > 0 }),
  spec("hand", "drop_last", ["Backspace"], inHand),
  spec("hand", "undo", ["Ctrl+Z"], { ...repeated, isEnabled: canTakeBack }),
  spec("hand", "redo", ["Ctrl+Shift+Z", "Ctrl+Y"], { ...repeated, isEnabled: canDoAgain }),
  spec("hand", "delete", ["Delete"], { ...noHand, isEnabled: canDecide }),
  spec("hand", "next_candidate", ["C"], { ...inHand, isEnabled: hasCandidates }),
  spec("hand", "previous_candidate", ["Shift+C"], { ...inHand, isEnabled: hasCandidates }),
  spec("hand", "queue_clicks", ["Ctrl"], held),
  spec("hand", "negative", ["Alt"], held),
  spec("hand", "fill_holes", ["G"], { isEnabled: canEdit }),
  spec("hand", "smooth", ["Shift+G"], { isEnabled: canEdit }),
  spec("hand", "merge", ["M"], { isEnabled: (state) => mayWrite(state) && hasFew(state) }),
  spec("hand", "split", ["Shift+M"], { isEnabled: canDecide }),
  spec("hand", "make_part", ["Ctrl+G"], { isEnabled: (state) => mayWrite(state) && hasWhole(state) }),
  spec("hand", "make_whole", ["Ctrl+Shift+G"], { isEnabled: (state) => mayWrite(state) && isPart(state) }),
  spec("hand", "select_parts", ["Alt+P"], { isEnabled: hasSelection }),
  spec("hand", "toggle_parts", ["Shift+P"], { isEnabled: hasSelection }),
  spec("hand", "segment_everything", ["Ctrl+E"], { isEnabled: canEdit }),
  spec("hand", "segment_text", ["T"], { isEnabled: canEdit }),

  spec("tools", "tool_click", ["Q"]),
  spec("tools", "tool_box", ["W"]),
  spec("tools", "tool_brush", ["B"]),
  spec("tools", "tool_eraser", ["E"]),
  spec("tools", "tool_polygon", ["P"]),
  spec("tools", "tool_lasso", ["O"]),
  spec("tools", "tool_cut", ["X"]),
  spec("tools", "tool_everything", ["Shift+W"]),
  spec("tools", "tool_move", ["V"]),
  spec("tools", "brush_smaller", ["["], repeated),
  spec("tools", "brush_larger", ["]"], repeated),

  spec("pointer", "point", ["I"], { isEnabled: hasFrame }),
  ...ways.map((way) => spec("pointer", `pointer_${way}`, [arrowOf(way)], { ...pointing, ...repeated })),
  ...ways.map((way) => spec("pointer", `pointer_${way}_fine`, [`Shift+${arrowOf(way)}`], { ...pointing, ...repeated })),
  spec("pointer", "pointer_press", ["Space"], pointing),
  spec("pointer", "pointer_press_negative", ["Shift+Space"], pointing),

  spec("labels", "edit_label", ["L"], { isEnabled: canDecide }),
  ...digits.map((digit) => spec("labels", `label_${digit}`, [digit], { isEnabled: canEdit })),

  spec("time", "play", ["K"], { isEnabled: hasFrame }),
  spec("time", "go_to_frame", ["Ctrl+J", "~"], { isEnabled: hasFrame }),
  spec("time", "previous_keyframe", ["Ctrl+ArrowLeft"], { isEnabled: hasFrame }),
  spec("time", "next_keyframe", ["Ctrl+ArrowRight"], { isEnabled: hasFrame }),
  spec("time", "propagate_forward", ["."], { isEnabled: canFollow }),
  spec("time", "propagate_back", [","], { isEnabled: canFollow }),
  spec("time", "propagate_both", ["Ctrl+."], { isEnabled: canFollow }),
  spec("time", "cancel_propagation", ["Ctrl+,"], { isEnabled: isFollowing }),
  spec("time", "name_track", ["Shift+L"], { ...noHand, isEnabled: canDecide }),
  spec("time", "split_track", ["Ctrl+Alt+S"], { ...noHand, isEnabled: hasTrack }),
  spec("time", "merge_tracks", ["Ctrl+Alt+M"], { ...noHand, isEnabled: hasTrack }),
  spec("time", "untrack", ["Ctrl+Alt+U"], { ...noHand, isEnabled: hasTrack }),
  spec("time", "outside_here", ["Ctrl+Alt+O"], { ...noHand, isEnabled: canEdit }),
  spec("time", "occluded_here", ["Ctrl+Alt+K"], { ...noHand, isEnabled: hasTrack }),
  spec("time", "interpolate", ["Ctrl+I"], { ...noHand, isEnabled: canEdit }),

  spec("view", "hide_masks", ["H"], held),
  spec("view", "toggle_masks", ["Shift+H"]),
  spec("view", "toggle_fill", ["Shift+F"]),
  spec("view", "less_opacity", ["Shift+ArrowDown"], repeated),
  spec("view", "more_opacity", ["Shift+ArrowUp"], repeated),
  spec("view", "colour_by", ["Y"]),
  spec("view", "zoom_fit", ["Z"], { isEnabled: hasFrame }),
  spec("view", "zoom_actual", ["Shift+Z"], { isEnabled: hasFrame }),
  spec("view", "zoom_in", ["+"], { ...repeated, isEnabled: hasFrame }),
  spec("view", "zoom_out", ["-"], { ...repeated, isEnabled: hasFrame }),
  spec("view", "zoom_mask", ["J"], { isEnabled: hasSelection }),
  spec("view", "pan", ["Space"], held),
  spec("view", "show_timeline", ["Shift+K"], { isEnabled: hasFrame }),
  spec("view", "show_cameras", ["Shift+I"], { isEnabled: hasFrame }),
  spec("view", "show_history", ["U"]),
  spec("view", "show_dashboard", ["Ctrl+Shift+D"]),
  spec("view", "focus_filter", ["/"]),
  spec("view", "help", ["?", "F1"]),
  spec("view", "show_queues", ["Shift+Q"]),

  spec("compare", "show_disagreements", ["Ctrl+Alt+D"]),
  spec("compare", "take_first", ["1"], compare),
  spec("compare", "take_second", ["2"], compare),
  spec("compare", "next_pair", ["S", "ArrowDown"], { ...compare, ...repeated }),
  spec("compare", "previous_pair", ["W", "ArrowUp"], { ...compare, ...repeated }),
  spec("compare", "open_pair", ["O"], compare),
];

const BY_ID = new Map(ACTIONS.map((action) => [action.id, action]));

export function actionOf(id: ActionId): ActionSpec {
  const found = BY_ID.get(id);
  if (found === undefined) throw new Error(`no action is called ${id}`);
  return found;
}

/** Whether an action can be done now. */
export const canPerform = (action: ActionSpec, state: State): boolean =>
  fits(action, state) && mayDo(needOf(action), state) && action.isEnabled(state);

// What is done on the canvas is not done under another view.
const EVERYWHERE: ReadonlySet<ActionId> = new Set<ActionId>(["show_dashboard", "show_disagreements", "help", "undo", "redo"]);

/** Whether an action can be done in every view. */
export const isEverywhere = ({ id }: ActionSpec): boolean => EVERYWHERE.has(id);

function fits({ id, when }: ActionSpec, state: State): boolean {
  const { view } = state.people;
  if (when === "compare") return view === "disagreements";
  if (view !== "work") return EVERYWHERE.has(id);
  if (when === "pointing") return state.isPointing;
  return when === "any" || (when === "hand") === hasHand(state);
}

export const isActionId = (text: string): text is ActionId => BY_ID.has(text as ActionId);

/** The label that a digit means: the first is 1, the tenth 0. */
export const digitOf = (id: ActionId): number | null => {
  const digit = /^label_(\d)$/.exec(id)?.[1];
  return digit === undefined ? null : (Number(digit) + 9) % 10;
};
