// Every English text that people read. Sentence case; no full stop after a single sentence; an ellipsis where a dialog follows.

import type { ActionGroup, ActionId } from "./actions/table";
import type { Preset } from "./actions/presets";
import type { Problem } from "./api/problem";
import type { JobOut, MaskRecord } from "./api/types";
import type { Scope } from "./actions/roles";
import type { ColourBy } from "./draw/colours";
import { RULE_QUEUES, type QueueName, type RuleQueue, type SecondLook } from "./state/people";
import type { Status } from "./state/resolve";
import type { SyncState } from "./state/select";
import type { Filter, Look, Sort } from "./state/values";
import type { Tool } from "./tools/tool";

type ActionText = { readonly name: string; readonly tooltip: string };

const action = (name: string, tooltip: string = name): ActionText => ({ name, tooltip });
const label = (place: string): ActionText => action(`Label ${place}`, `Give the selected masks, or the mask in hand, the ${place} label`);

/** "1 mask", "3 masks". */
export const count = (number: number, one: string, many = `${one}s`): string => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

const actions: { readonly [id in ActionId]: ActionText } = {
  next_frame: action("Next frame"),
  previous_frame: action("Previous frame"),
  forward_frames: action("Jump on", "Go on by as many frames as the stride of the timeline says"),
  back_frames: action("Jump back", "Go back by as many frames as the stride of the timeline says"),
  previous_unfinished_frame: action("Previous frame with proposals", "Go back to the last frame on which something waits for a decision"),
  next_unfinished_frame: action("Next frame with proposals", "Go to the next frame on which something waits for a decision"),
  play: action("Play or pause"),
  next_mask: action("Next mask", "Select the next mask of the list"),
  previous_mask: action("Previous mask", "Select the previous mask of the list"),
  next_unreviewed: action("Next unreviewed", "Go to the next mask that nobody has decided about, on the next frame if need be"),
  select_all: action("Select all", "Select every mask of the list"),
  select_none: action("Select none"),
  accept: action("Accept", "The mask is right as it is"),
  reject: action("Reject", "The mask must not be used"),
  skip: action("Skip", "Decide later, and go to the next"),
  fix: action("Fix", "Take the mask in hand, to correct its pixels"),
  reject_reason: action("Reject with a reason…", "Say why the mask must not be used"),
  comment: action("Comment…", "Say something about the mask, which stays as it is"),
  queue_previous: action("Previous of the queue", "Go back to the mask of the queue that was before"),
  show_queues: action("Queues", "Orders in which masks are worth looking at"),
  show_disagreements: action("Disagreements", "What two people see differently, the least alike first"),
  take_first: action("Take the first", "The mask is what the first of the two says"),
  take_second: action("Take the second", "The mask is what the second of the two says"),
  next_pair: action("Next difference"),
  previous_pair: action("Previous difference"),
  open_pair: action("Open in its frame"),
  accept_visible: action("Accept all in the list…", "Accept every proposal that the filter lets through"),
  reject_visible: action("Reject all in the list…", "Reject every proposal that the filter lets through"),
  commit: action("Done", "Save what is in hand, as accepted"),
  drop: action("Cancel", "Put down what is in hand, or select nothing"),
  drop_last: action("Remove the last point"),
  undo: action("Undo", "Take back the last stroke or click, or the last decision"),
  redo: action("Redo"),
  delete: action("Delete", "Reject the selected masks; undo brings them back"),
  next_candidate: action("Next candidate", "See the next of the masks that the model has for these clicks"),
  previous_candidate: action("Previous candidate"),
  queue_clicks: action("Queue clicks (hold)", "While held, clicks gather; they run once when it is let go"),
  negative: action("Take away (hold)", "While held, the left button does what the right one does"),
  tool_click: action("Click", "Left adds, right takes away"),
  tool_box: action("Box", "Draw a box around the object"),
  tool_brush: action("Brush"),
  tool_eraser: action("Eraser"),
  tool_polygon: action("Polygon", "Put vertices, move them, insert and delete them"),
  tool_lasso: action("Lasso", "Draw around what belongs to the mask"),
  tool_cut: action("Cut", "Draw a line along which the mask comes apart"),
  tool_everything: action("Find all", "Draw a box; every object in it becomes a proposal"),
  tool_move: action("Select", "Select masks by clicking on them"),
  brush_smaller: action("Smaller brush"),
  brush_larger: action("Larger brush"),
  fill_holes: action("Fill holes"),
  smooth: action("Smooth the outline"),
  merge: action("Merge", "The first selected mask takes in the others"),
  split: action("Split into islands", "Every island of the mask becomes a mask"),
  make_part: action("Make a part", "The mask in hand becomes a part of the selected one; of several selected, the others of the first"),
  make_whole: action("Make it whole", "The mask is no part of another any more"),
  select_parts: action("Select with parts"),
  toggle_parts: action("Show or hide parts", "Fold the parts of the selected mask in the list"),
  segment_everything: action("Segment everything", "Find every object of the frame; “Find all” among the tools looks in a box"),
  segment_text: action("Find by words…", "Find the objects that words name"),
  edit_label: action("Label…", "Name the selected masks"),
  label_1: label("first"),
  label_2: label("second"),
  label_3: label("third"),
  label_4: label("fourth"),
  label_5: label("fifth"),
  label_6: label("sixth"),
  label_7: label("seventh"),
  label_8: label("eighth"),
  label_9: label("ninth"),
  label_0: label("tenth"),
  go_to_frame: action("Go to frame…", "Open a frame by its number"),
  next_keyframe: action("Next keyframe", "Go to the next keyframe of the track"),
  previous_keyframe: action("Previous keyframe", "Go to the keyframe of the track before this frame"),
  propagate_forward: action("Propagate forward", "Follow the object through the frames that come, up to the next keyframe"),
  propagate_back: action("Propagate back", "Follow the object through the frames before, down to the keyframe before"),
  propagate_both: action("Propagate both ways", "Follow the object from the keyframe before to the one after this frame"),
  cancel_propagation: action("Stop propagating", "What has come so far stays"),
  name_track: action("Name the track…", "Begin a track with the selected mask, or give its track another name"),
  split_track: action("Split the track here", "From this frame on it is another object"),
  merge_tracks: action("Merge tracks…", "Another track is the same object as this one"),
  untrack: action("Take out of the track", "The selected masks are not this object"),
  outside_here: action("Outside here", "The object is not in the picture; nothing is propagated past this frame"),
  occluded_here: action("Occluded here or not", "The object is partly hidden here; the mask holds what is seen of it"),
  interpolate: action("Interpolate", "Fill the frames between the keyframes around this one, without the model"),
  hide_masks: action("Hide masks (hold)", "See the picture alone"),
  toggle_masks: action("Show or hide masks"),
  toggle_fill: action("Filled or outlines only"),
  less_opacity: action("More transparent"),
  more_opacity: action("Less transparent"),
  colour_by: action("Colour by…", "Go through what colours mean: label, track, score, status"),
  zoom_fit: action("Fit the frame"),
  zoom_actual: action("Actual size, 1:1", "One pixel of the picture is one of the screen"),
  zoom_in: action("Zoom in"),
  zoom_out: action("Zoom out"),
  zoom_mask: action("Zoom to the mask"),
  pan: action("Move the picture (hold)"),
  show_timeline: action("Timeline", "Show or hide the tracks over time"),
  show_cameras: action("Cameras", "Show or hide what the other cameras saw at the same time"),
  show_history: action("History", "How the mask came to be, and everything that was done to it"),
  show_dashboard: action("Dashboard", "Progress, speed and agreement"),
  focus_filter: action("Filter", "Go to the filter of the list"),
  next_region: action("Next part of the page", "Go round with the keyboard: picture, tools, bar, panel, frames, messages"),
  previous_region: action("Previous part of the page"),
  point: action("Pointer by keys", "Move a pointer over the picture with the arrow keys, and press with Space"),
  pointer_left: action("Pointer left"),
  pointer_right: action("Pointer right"),
  pointer_up: action("Pointer up"),
  pointer_down: action("Pointer down"),
  pointer_left_fine: action("A pixel left"),
  pointer_right_fine: action("A pixel right"),
  pointer_up_fine: action("A pixel up"),
  pointer_down_fine: action("A pixel down"),
  pointer_press: action("Press", "Add a click; or begin a box, stroke or line, and end it where the pointer is then"),
  pointer_press_negative: action("Press to take away"),
  help: action("Shortcuts", "Every action and its keys"),
};

const groups: { readonly [group in ActionGroup]: string } = {
  move: "Move about",
  review: "Review",
  hand: "Mask in hand",
  tools: "Tools",
  pointer: "Pointer by keys",
  labels: "Labels",
  time: "Time and tracks",
  view: "View",
  compare: "Disagreements",
};

const presets: { readonly [preset in Preset]: string } = {
  maskwright: "maskwright",
  cvat: "CVAT",
  label_studio: "Label Studio",
  x_anylabeling: "X-AnyLabeling",
};

const statuses: { readonly [status in Status]: string } = {
  proposed: "Proposed",
  accepted: "Accepted",
  rejected: "Rejected",
  merged: "Merged",
  split: "Split",
};

const methods: { readonly [method in MaskRecord["provenance"]["method"]]: string } = {
  sam_raw: "Model",
  sam_refined: "Model, cleaned up",
  human_drawn: "Drawn by hand",
  simulator: "Simulator",
  imported: "Imported",
};

const tools: { readonly [tool in Tool]: string } = {
  click: actions.tool_click.name,
  box: actions.tool_box.name,
  brush: actions.tool_brush.name,
  eraser: actions.tool_eraser.name,
  polygon: actions.tool_polygon.name,
  lasso: actions.tool_lasso.name,
  cut: actions.tool_cut.name,
  everything: actions.tool_everything.name,
  move: actions.tool_move.name,
};

const sorts: { readonly [sort in Sort]: string } = {
  put: "As they came",
  uncertain: "Uncertain first",
  score: "Best first",
  area: "Largest first",
  label: "By label",
  track: "By track",
  place: "Top to bottom",
};

const colours: { readonly [by in ColourBy]: string } = { mask: "Each its own", label: "Label", track: "Track", score: "Score", status: "Status" };
const themes: { readonly [theme in Look["theme"]]: string } = { system: "As the system", dark: "Dark", light: "Light" };
const panels: { readonly [panel in Look["panel"]]: string } = { masks: "Masks", history: "History", tracks: "Tracks", queues: "Queues" };

const filters: { readonly [name in keyof Filter]: string } = {
  statuses: "Status",
  labels: "Label",
  methods: "Made by",
  actors: "Annotator",
  tracks: "Track",
  minScore: "Score from",
  maxScore: "Score to",
  minArea: "Pixels from",
  maxArea: "Pixels to",
  text: "Search",
  hasComments: "Has comments",
};

function sync(state: SyncState, now: number): string {
  switch (state.kind) {
    case "saved":
      return "Saved";
    case "saving":
      return "Saving…";
    case "offline":
      return `Offline, ${count(state.waiting, "change")} kept here${again(state.retryAt, now)}`;
    case "signed_out":
      return `Signed out, ${count(state.waiting, "change")} kept here`;
    case "held":
      return `${count(state.held, "change needs", "changes need")} your choice`;
  }
}

function again(retryAt: number | null, now: number): string {
  const seconds = retryAt === null ? 0 : Math.ceil((retryAt - now) / 1000);
  return seconds > 0 ? `, next try in ${seconds} s` : "";
}

function problem(found: Problem): string {
  switch (found.kind) {
    case "unreachable":
      return "The server does not answer";
    case "aborted":
      return "Cancelled";
    case "signed_out":
      return "Your sign-in has run out. Ask for a new link and paste it here; nothing is lost";
    case "busy":
      return "The server is busy";
    default:
      return sentence(found.message);
  }
}

const queues: { readonly [queue in RuleQueue]: ActionText } = {
  uncertain: action("Least sure first", "Proposals: those of which the model is least sure come first"),
  drifting: action("Tracks that drift", "Proposals of a tracker: first where it was unsure, and where an object's size jumped"),
  second_look: action("Second look", "Accepted masks that only one other person has looked at"),
  disagreed: action("Disagreements", "Masks that two people see differently, the least alike first"),
  audit: action("Audit", "Accepted masks, at random"),
};
/** What a queue is called: one that somebody picked has its own name, and the server says what it is about. */
function queueText(name: QueueName, about?: string): ActionText {
  const rule = RULE_QUEUES.find((one) => one === name);
  return rule === undefined ? action(name, about ?? "Masks that somebody picked to be looked at") : queues[rule];
}
const roles: { readonly [scope in Scope]: string } = { read: "viewer", annotate: "annotator", review: "reviewer", admin: "admin" };
const differences: { readonly [kind in SecondLook["difference"]]: string } = {
  none: "the same",
  label: "another label",
  pixels: "other pixels",
  decision: "one rejected it",
};
const jobStates: { readonly [state in JobOut["state"]]: string } = {
  queued: "Waits its turn",
  running: "At work",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  interrupted: "Interrupted",
};
const severities: { readonly [severity: string]: string } = { error: "Wrong", warning: "Doubtful", note: "Worth knowing" };
function jobEnded({ state, result, error, request }: JobOut): string | null {
  const tracks = tracksOf(request["tracks"]);
  const made = typeof result?.["num_masks"] === "number" ? result["num_masks"] : 0;
  if (state === "failed") return `${tracks} could not be propagated: ${error?.message ?? "the server does not say why"}`;
  if (state === "cancelled") return `Propagating ${tracks} was stopped; what has come stays`;
  if (state === "interrupted") return `Propagating ${tracks} was interrupted by the server; propagate again to go on`;
  return made === 0 ? `${tracks} is up to date; nothing had changed` : `${count(made, "mask")} of ${tracks} propagated`;
}

/** The tracks of a job, by name. */
export const tracksOf = (tracks: unknown): string =>
  Array.isArray(tracks) && tracks.length > 0 ? tracks.slice(0, 3).join(", ") + (tracks.length > 3 ? ", …" : "") : "All tracks";

const sentence = (message: string): string => message.charAt(0).toUpperCase() + message.slice(1);

export const text = {
  name: "maskwright",
  actions,
  groups,
  presets,
  statuses,
  methods,
  tools,
  sorts,
  colours,
  themes,
  panels,
  filters,
  sync,
  problem,
  noLabel: "No label",
  noTrack: "No track",
  masks: (number: number): string => count(number, "mask"),
  selected: (number: number): string => `${number.toLocaleString("en")} selected`,
  frameOf: (place: number, all: number | null): string => `Frame ${place}${all === null ? "" : ` of ${all}`}`,
  candidateOf: (place: number, all: number, score: number | null): string => `Candidate ${place} of ${all}${score === null ? "" : `, score ${score.toFixed(2)}`}`,
  undoOf: (name: string): string => `Undo ${name.toLowerCase()}`,
  redoOf: (name: string): string => `Redo ${name.toLowerCase()}`,
  notKept: "This browser keeps nothing when the page is closed. Stay until everything is saved",
  leaving: "Changes are not saved yet",
  restoredHand: "Your unfinished mask is back",
  nothingLeft: "Nothing is left to review in this list of frames",
  noFrames: "This store has no frames yet",
  noMasks: "No masks on this frame",
  noMatches: "No mask passes the filter",
  pictureFailed: "The picture of this frame cannot be shown. Masks can still be reviewed",
  loading: "Loading…",
  asking: "The model is at work…",
  presence: (names: readonly string[]): string => `${names.join(", ")} ${names.length === 1 ? "is" : "are"} here too`,
  conflict: {
    title: "Somebody else changed this mask",
    of: (name: string): string => `Your change: ${name.toLowerCase()}`,
    correction: "correction",
    mine: "Yours",
    theirs: (name: string): string => `By ${name}`,
    base: "Before",
    keep: "Keep mine",
    takeTheirs: "Take theirs",
    dependents: (number: number): string => `${count(number, "later change")} of yours on it ${number === 1 ? "waits" : "wait"}, and ${number === 1 ? "goes" : "go"} the same way`,
  },
  refused: {
    title: "The server did not take this change",
    again: "Try again",
    letGo: "Discard",
  },
  bulk: {
    accept: (number: number): string => `Accept ${count(number, "mask")}?`,
    reject: (number: number): string => `Reject ${count(number, "mask")}?`,
    confirm: "Do it",
    cancel: "Cancel",
  },
  keys: {
    title: "Shortcuts",
    preset: "Keys as in",
    press: "Press a key…",
    taken: (names: readonly string[]): string => `Taken from ${names.join(" and ")}`,
    reset: "Reset all keys",
  },
  signIn: {
    title: "Sign in",
    ask: "Open the sign-in link that you were given, or paste its token",
    token: "Token",
    enter: "Sign in",
    wrong: "The server does not know this token, or it has run out. Ask for a new link",
    linkOrToken: "Sign-in link or token",
    another: "This link is somebody else's. Your changes wait for one of yours",
    away: "The review server does not answer",
    awayAsk: "Start it again with maskwright review; this page goes on by itself",
    again: "Try again",
  },
  work: {
    tools: "Tools",
    frames: "Frames",
    canvas: (name: string): string => `Picture and masks of ${name}`,
    signedAs: (name: string): string => `Decisions are signed ${name}`,
    decided: (done: number, all: number): string => `${done} of ${all} decided`,
    left: (number: number): string => (number === 0 ? "Nothing left here" : `${number} left here`),
    opacity: "Opacity",
    colourBy: "Colour",
    themeIs: (theme: string): string => `Theme: ${theme.toLowerCase()}`,
    tryNow: "Try now",
    close: "Close",
    sort: "Sort",
    more: "More filters",
    anything: "Any",
    nothingInHand: "No mask in hand",
    hint: "Select a mask in the list, or click on an object in the picture to begin a new one",
    newMask: "New mask",
    fixing: (label: string): string => `Correcting ${label}`,
    candidates: "Candidates",
    candidate: (place: number, score: number): string => `Candidate ${place}, score ${score.toFixed(2)}`,
    pixels: (number: number): string => count(number, "pixel"),
    score: (score: number | null): string => (score === null ? "–" : score.toFixed(2)),
    scoreName: "Score",
    label: "Label",
    labelAsk: "Type a label, then Enter",
    emptyHand: "Nothing drawn yet",
    clicksWait: "Clicks wait",
    ask: "Ask the model",
    everything: (number: number): string => `${count(number, "proposal")} added to the list`,
    everythingBegun: "The model looks for every object. This can take a while…",
    unsaved: "Not saved yet",
    reset: "Clear the filter",
    by: (name: string): string => `by ${name}`,
    verified: (name: string): string => `Decided by ${name}`,
    addKey: (name: string): string => `Add a key for ${name}`,
    dropKey: (key: string, name: string): string => `Remove ${key} from ${name}`,
    somebody: "somebody else",
  },
  parts: {
    of: (label: string): string => `Part of ${label}`,
    show: (number: number): string => `Show ${count(number, "part")}`,
    hide: (number: number): string => `Hide ${count(number, "part")}`,
    list: "Masks and their parts",
  },
  pointing: {
    hint: (keys: { readonly press: string; readonly negative: string; readonly end: string }): string =>
      `Arrow keys move the pointer, with Shift by a pixel; ${keys.press} presses, ${keys.negative} takes away, ${keys.end} ends`,
  },
  time: {
    name: "Timeline",
    tracks: "Tracks",
    object: "object",
    frame: (index: number, last: number): string => `${index} / ${last}`,
    frameName: "Frame",
    ask: (first: number, last: number): string => `Frame number, ${first} to ${last}`,
    go: "Go",
    speed: "Frames a second",
    stride: "Frames of a jump",
    strideShort: "jump",
    nearer: "Nearer",
    farther: "Farther",
    lane: (name: string, label: string | null): string => (label === null || label === name ? name : `${name} (${label})`),
    laneTold: (first: number, last: number, keyframes: number, left: number): string =>
      `frames ${first} to ${last}, ${count(keyframes, "keyframe")}, ${left === 0 ? "all decided" : `${left.toLocaleString("en")} to decide`}`,
    noTracks: "No tracks here yet. Select a mask and propagate it to begin one",
    kinds: { keyframe: "keyframe", propagated: "propagated", occluded: "occluded", outside: "outside", rejected: "rejected" },
    at: (index: number): string => `frame ${index}`,
    nothingAt: "no mask",
    corrected: "corrected",
    accepted: "accepted",
    sure: (confidence: number): string => `confidence ${confidence.toFixed(2)}`,
    running: (tracks: string, done: number, total: number | null): string =>
      `${tracks}: ${done.toLocaleString("en")}${total === null ? "" : ` of ${total.toLocaleString("en")}`} frames`,
    queued: (tracks: string): string => `${tracks}: waits for its turn`,
    stop: "Stop",
    jobEnded,
    notSaved: "Propagating needs everything saved, and something waits or is in question",
    nameTaken: (name: string): string => `There is a track ${name} already. Merge the two if they are one object`,
    notHere: (name: string): string => `${name} has masks on one side of this frame only, so there is nothing to split`,
    split: (old: string, at: number, fresh: string): string => `From frame ${at} on ${old} is called ${fresh}`,
    merged: (other: string, into: string): string => `${other} is part of ${into} now`,
    noTrackInHand: "Select a mask of a track, or a lane of the timeline, first",
    noKeyframes: (name: string): string => `Interpolating needs a keyframe of ${name} with pixels before and one after this frame`,
    noMoreKeyframes: (name: string): string => `No keyframe of ${name} that way`,
    nothingBetween: (first: number, last: number): string => `There is no frame between the keyframes ${first} and ${last}`,
    tooFar: (frames: number): string => `The keyframes are ${frames.toLocaleString("en")} frames apart; up to 1,000 can be interpolated`,
    interpolated: (frames: number, first: number, last: number): string => `${count(frames, "mask")} between frames ${first} and ${last}, as proposals`,
    nameAsk: "Name of the track",
    nameIt: "Name it",
    mergeAsk: (name: string): string => `Which track is the same object as ${name}`,
    mergeIt: "Merge",
    short: {
      propagate_back: "← Propagate",
      propagate_both: "↔",
      propagate_forward: "Propagate →",
      interpolate: "Interpolate",
      name_track: "Name…",
      split_track: "Split here",
      merge_tracks: "Merge…",
      untrack: "Take out",
      occluded_here: "Occluded",
      outside_here: "Outside",
    } as { readonly [id in ActionId]?: string },
    cameras: "Other cameras",
    camera: (name: string, masks: number): string => `${name}, ${count(masks, "mask")}`,
    noCameras: "No other camera saw this step",
  },
  words: {
    ask: "Which objects, in words",
    find: "Find",
    unsure: (asked: string, belief: number): string =>
      `Nothing that is surely “${asked}”; the best guess is believed ${belief.toFixed(2)}. Click on it, or draw a box`,
  },
  queues: queueText,
  queue: {
    title: "Queues",
    ask: "An order in which masks are worth looking at, across frames. Decisions go on with it; the address keeps the place",
    begin: "Begin",
    left: (number: number): string => (number === 0 ? "none left" : `${number.toLocaleString("en")} left`),
    walking: (name: string): string => `Queue: ${name}`,
    back: "Back",
    next: "Next",
    leave: "Leave the queue",
    over: "The end of this queue. What was skipped is at its beginning",
    again: "From the beginning",
    blind: "Blind",
    blindAsk: "Decide on what the model proposed, without the first one's pixels, label and decision",
    hidden: "Hidden until you have decided",
    decidedBy: (name: string): string => `${name} accepted it`,
    agree: "Agree",
    look: (other: string, iou: number, difference: string): string => `You and ${other}: IoU ${iou.toFixed(2)}, ${difference}`,
  },
  differences,
  comments: {
    title: "Comments",
    ask: "What is to be said about the mask",
    say: "Comment",
    none: "Nobody has said anything",
    number: (number: number): string => count(number, "comment"),
    most: (left: number): string => `${left.toLocaleString("en")} characters left`,
  },
  reject: { ask: "Why must the mask not be used", do: "Reject" },
  roles: {
    names: roles,
    needs: (scope: Scope, mine: Scope): string => `For the role ${roles[scope]}; you are ${roles[mine]}`,
    signed: (name: string, scope: Scope): string => `Decisions are signed ${name}, ${roles[scope]}`,
  },
  licences: {
    model: "Licence of the model",
    picture: "Licence of the data",
    untold: "not told; ask before you publish",
  },
  dashboard: {
    title: "Dashboard",
    back: "Back to the masks",
    left: "Left",
    frames: "Frames left",
    toGo: "To go",
    pace: "Pace",
    rate: "Right as proposed",
    unknown: "not known yet",
    percent: (share: number): string => `${Math.round(share * 100)} %`,
    hours: (hours: number): string => (hours < 1 ? `${Math.max(Math.round(hours * 60), 1)} min` : `${hours.toFixed(1)} h`),
    perHour: (number: number): string => `${Math.round(number).toLocaleString("en")} masks/h`,
    seconds: (seconds: number): string => `${seconds.toFixed(1)} s`,
    episodes: "By episode",
    labels: "By label",
    people: "Pace of people",
    models: "What people said of each model's masks",
    times: "Time per mask",
    faster: (factor: number): string => (factor >= 1 ? `${factor.toFixed(1)} times as fast with the model` : `${(1 / factor).toFixed(1)} times as slow with the model`),
    own: "Your own pace; reviewers see everybody's",
    noPace: "No masks of a model have been timed yet",
    asProposed: "Right as proposed",
    corrected: "Corrected",
    checkpoint: (name: string, sha: string): string => `${name} (${sha.slice(0, 8)})`,
    all: (number: number): string => `Show all ${number.toLocaleString("en")}`,
    cut: "There are more than these",
    loose: "Loose pictures",
  },
  exports: {
    title: "Export",
    format: "Format",
    accepted: "Accepted masks only",
    images: "With pictures",
    begin: "Export",
    download: "Download",
    fetching: "Fetching…",
    cancel: "Cancel",
    told: (masks: number, frames: number): string => `${count(masks, "mask")} on ${count(frames, "frame")}`,
    lost: (what: string, number: number): string => `Not kept: ${what} (${number.toLocaleString("en")})`,
    left: (number: number): string => `${count(number, "item")} left out`,
    far: (done: number): string => count(done, "frame"),
  },
  audits: {
    title: "Audit",
    ask: "Looks at every mask for what is wrong, doubtful or worth knowing",
    begin: "Run the audit",
    clean: "Nothing is wrong or doubtful",
    told: (masks: number, frames: number): string => `${count(masks, "mask")} on ${count(frames, "frame")} looked at`,
    severities,
    more: (number: number): string => `${number.toLocaleString("en")} more`,
    far: (done: number, all: number | null): string => `${done.toLocaleString("en")}${all === null ? "" : ` of ${all.toLocaleString("en")}`} masks`,
  },
  jobStates,
  pairs: {
    title: "Disagreements",
    ask: "Masks that two people see differently, the least alike first. Whoever takes one settles it",
    none: "Nobody disagrees about anything that is not settled",
    list: "Differences",
    of: (first: string, second: string): string => `${first} and ${second}`,
    iou: (iou: number): string => `IoU ${iou.toFixed(2)}`,
    rejected: "rejected it",
    take: (name: string): string => `Take ${name}'s`,
    together: (same: number, all: number, iou: number): string => `${same} of ${all} the same, IoU ${iou.toFixed(2)} on average`,
    picture: (first: string, second: string): string => `The mask as ${first} and as ${second} see it, over the picture`,
    both: "both",
    agreement: "Agreement",
    different: "seen differently",
    settled: "Settled",
    more: "Show more",
  },
  progress: {
    decided: "Decided",
    left: (frames: number, all: number): string => `${frames.toLocaleString("en")} of ${count(all, "frame")} left`,
    hours: (hours: number): string => (hours < 1 ? `about ${Math.max(Math.round(hours * 60), 1)} min to go` : `about ${hours.toFixed(1)} h to go`),
    episodes: "Episodes",
    labels: "Labels",
    models: "Models",
    people: "People",
    accepted: "accepted",
    modelOf: (rate: string, accepted: number, corrected: number, rejected: number): string =>
      `${rate} accepted as drawn (${accepted}), ${corrected} corrected, ${rejected} rejected`,
    pace: (perHour: number): string => `${Math.round(perHour).toLocaleString("en")} masks an hour`,
    assisted: "With the model",
    drawn: "By hand",
    reload: "Count again",
  },
  badges: {
    sam_raw: "raw",
    sam_refined: "refined",
    human_drawn: "human",
    simulator: "truth",
    imported: "imported",
  },
  history: {
    title: "How it came to be",
    none: "Select one mask to see its history",
    made: "Made",
    model: "Model",
    checkpoint: "Checkpoint",
    prompt: "Prompt",
    steps: "Steps",
    source: "Source",
    licence: "Licence",
    derived: "Derived from",
    events: "What was done",
    put: "Put into the store",
    revert: "Take back",
    reverted: "taken back",
    actions: {
      Accept: "Accepted",
      Reject: "Rejected",
      Edit: "Pixels corrected",
      Relabel: "Named",
      Retrack: "Track changed",
      Reparent: "Made a part, or no part any more",
      Merge: "Merged",
      Split: "Split",
      Revert: "Took something back",
      Comment: "Said",
    },
  },
} as const;
