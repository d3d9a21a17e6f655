// Keys for hands that come from other tools. A preset says only what differs from ours; what of ours then stands in the way
// loses that key.

import type { ActionId, Digit } from "./table";

export const PRESETS = ["maskwright", "cvat", "label_studio", "x_anylabeling"] as const;
export type Preset = (typeof PRESETS)[number];
export type PresetKeys = { readonly [id in ActionId]?: readonly string[] };

const digits: readonly Digit[] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"];
const labelsWith = (modifier: string): PresetKeys => Object.fromEntries(digits.map((digit) => [`label_${digit}`, [`${modifier}+${digit}`]]));

export const PRESET_KEYS: { readonly [preset in Preset]: PresetKeys } = {
  maskwright: {},
  cvat: {
    ...labelsWith("Ctrl"),
    next_frame: ["F"],
    previous_frame: ["D"],
    forward_frames: ["V"],
    back_frames: ["C"],
    play: ["Space"],
    pan: ["Shift"],
    commit: ["N", "Enter"],
    next_unreviewed: ["Shift+N"],
    fix: ["E"],
    tool_eraser: ["Shift+E"],
    tool_move: ["Shift+V"],
    next_candidate: ["U"],
    show_history: ["Shift+U"],
    hide_masks: ["Shift+H"],
    toggle_masks: ["H", "T"],
    segment_text: ["Ctrl+Alt+T"],
    propagate_forward: ["Ctrl+B"],
    propagate_back: ["Ctrl+Shift+B"],
    split: ["Alt+M"],
    queue_previous: ["Ctrl+Shift+N"],
    help: ["F1", "?"],
  },
  label_studio: {
    next_frame: ["Alt+ArrowRight", "Ctrl+ArrowRight"],
    previous_frame: ["Alt+ArrowLeft", "Ctrl+ArrowLeft"],
    forward_frames: ["Ctrl+Alt+ArrowRight"],
    back_frames: ["Ctrl+Alt+ArrowLeft"],
    next_keyframe: ["Shift+ArrowRight"],
    previous_keyframe: ["Shift+ArrowLeft"],
    accept: ["Ctrl+Enter", "Enter"],
    commit: ["Ctrl+Enter", "Enter"],
    accept_visible: ["Ctrl+Shift+Enter"],
    skip: ["Ctrl+Space"],
    next_mask: ["Alt+.", "Tab"],
    delete: ["Backspace", "Delete"],
    toggle_masks: ["Ctrl+H"],
    hide_masks: ["Shift+J"],
    pan: ["H", "Space"],
    zoom_in: ["Ctrl++", "+"],
    zoom_out: ["Ctrl+-", "-"],
    zoom_fit: ["Shift+1", "Z"],
  },
  x_anylabeling: {
    next_unfinished_frame: ["Ctrl+Shift+D"],
    previous_unfinished_frame: ["Ctrl+Shift+A"],
    select_none: ["Ctrl+Alt+A"],
    show_dashboard: ["Ctrl+Shift+B"],
    negative: ["E"],
    commit: ["F", "Enter"],
    reject: ["Shift+R"],
    reject_reason: ["Ctrl+Alt+R"],
    skip: ["Ctrl+Space"],
    tool_box: ["R"],
    tool_brush: ["Shift+B"],
    tool_eraser: ["Shift+E"],
    toggle_masks: ["S", "W"],
    zoom_fit: ["Ctrl+F"],
    propagate_forward: ["Ctrl+M"],
  },
};
