// What is on the canvas, made from the state. A mask that did not change is the same object as before, since that is how
// drawing knows what to leave alone.

import { colourOf, IN_HAND, type ColourBy, type Rgb } from "../draw/colours";
import type { Picture } from "../draw/picture";
import { handOf, type Scene, type SceneHand, type SceneLook, type SceneMask } from "../draw/scene";
import type { Hand } from "./hand";
import { isListed, scoreOf, visibleMasks } from "./select";
import type { Look, Mask, State } from "./values";

type Made = {
  readonly mask: SceneMask;
  readonly of: Mask;
  readonly colourBy: ColourBy;
};

/** Make scenes one after the other. */
export function sceneMaker(): (state: State, picture: Picture | null) => Scene {
  let made: ReadonlyMap<string, Made> = new Map();
  let masks: { readonly of: readonly unknown[]; readonly list: readonly SceneMask[] } = { of: [], list: [] };
  let look: { readonly of: Look; readonly look: SceneLook } | null = null;
  let hand: { readonly of: readonly unknown[]; readonly hand: SceneHand } | null = null;
  let last: Scene | null = null;

  return (state, picture) => {
    const visible = visibleMasks(state);
    const parts = [visible, state.patches, state.selection, state.hand?.base ?? null, state.look.colourBy];
    if (!isSame(parts, masks.of)) {
      made = makeMasks(state, visible, made);
      masks = { of: parts, list: keptList(masks.list, [...made.values()].map((one) => one.mask)) };
    }
    if (look?.of !== state.look) look = { of: state.look, look: lookOf(state.look) };
    const handParts = state.hand === null ? [] : [state.hand.draft, state.tool];
    if (state.hand !== null && (hand === null || !isSame(handParts, hand.of))) hand = { of: handParts, hand: inHand(state.hand, state) };
    const next: Scene = {
      picture,
      masks: masks.list,
      hand: state.hand === null ? null : (hand?.hand ?? null),
      preview: state.hand?.preview?.patch ?? null,
      look: look.look,
    };
    if (last !== null && isSame(Object.values(next), Object.values(last))) return last;
    last = next;
    return next;
  };
}

/** The masks whose pixels are not there yet, or are of other run lengths: to be decoded. */
export function undecoded(state: State): readonly Mask[] {
  return [...state.masks.values()].filter(
    (mask) => isListed(mask) && state.patches.get(mask.view.record.id)?.counts !== mask.view.record.rle.counts,
  );
}

function makeMasks(state: State, visible: readonly Mask[], before: ReadonlyMap<string, Made>): ReadonlyMap<string, Made> {
  const selected = new Set(state.selection);
  const base = state.hand?.base ?? null;
  const next = new Map<string, Made>();
  for (const mask of visible) {
    const { id } = mask.view.record;
    const patch = state.patches.get(id)?.patch;
    if (patch === undefined) continue;
    const known = before.get(id);
    const flags = { isSelected: selected.has(id), isInHand: id === base };
    const isKept =
      known?.of === mask &&
      known.colourBy === state.look.colourBy &&
      known.mask.patch === patch &&
      known.mask.isSelected === flags.isSelected &&
      known.mask.isInHand === flags.isInHand;
    if (isKept) next.set(id, known);
    else next.set(id, { of: mask, colourBy: state.look.colourBy, mask: { id, patch, ...coloursOf(mask, state.look.colourBy), ...flags } });
  }
  return next;
}

function coloursOf({ view }: Mask, by: ColourBy): { readonly fill: Rgb; readonly outline: Rgb } {
  const { id, label, track } = view.record;
  const colour = colourOf(by, { id, label, track, score: scoreOf(view.record), status: view.status });
  return { fill: colour, outline: colour };
}

const keptList = (before: readonly SceneMask[], after: readonly SceneMask[]): readonly SceneMask[] => (isSame(after, before) ? before : after);

const lookOf = ({ opacity, isFilled, isOutlined, areMasksHidden }: Look): SceneLook => ({ opacity, isFilled, isOutlined, areMasksHidden });

function inHand(hand: Hand, state: State): SceneHand {
  return handOf(hand.draft, IN_HAND, state.tool === "polygon");
}

const isSame = (a: readonly unknown[], b: readonly unknown[]): boolean => a.length === b.length && a.every((one, i) => one === b[i]);
