// The masks on the canvas, made from the state. A mask that did not change is the same object as before, since that is how
// drawing knows what to leave alone. The mask in hand the canvas draws from its draft.

import { colourOf, PREVIEW, type ColourBy } from "../draw/colours";
import type { SceneLook, SceneMask } from "../draw/scene";
import type { Patch } from "../masks/patch";
import { isListed, scoreOf, visibleMasks } from "./select";
import type { Mask, State } from "./values";

type Made = { readonly mask: SceneMask; readonly of: Mask; readonly colourBy: ColourBy };

/** Make the masks of a canvas, one state after the other. */
export function sceneMasks(): (state: State) => readonly SceneMask[] {
  let made: ReadonlyMap<string, Made> = new Map();
  let last: { readonly parts: readonly unknown[]; readonly list: readonly SceneMask[] } = { parts: [], list: [] };
  return (state) => {
    const visible = visibleMasks(state);
    const pieces = state.hand?.draft.work.pieces ?? NO_PIECES;
    const parts = [visible, state.patches, state.selection, state.hand?.base ?? null, state.look.colourBy, pieces];
    if (isSame(parts, last.parts)) return last.list;
    made = makeMasks(state, visible, made);
    const list = [...[...made.values()].map((one) => one.mask), ...pieces.map(pieceOf)];
    last = { parts, list: isSame(list, last.list) ? last.list : list };
    return last.list;
  };
}

const NO_PIECES: readonly Patch[] = [];
const PIECES = new WeakMap<Patch, SceneMask>();

/** What was cut off the mask in hand, and is not saved yet. */
function pieceOf(patch: Patch, place: number): SceneMask {
  const known = PIECES.get(patch);
  const id = `piece ${place}`;
  if (known?.id === id) return known;
  const mask = { id, patch, fill: PREVIEW, outline: PREVIEW, isSelected: false, isInHand: false };
  PIECES.set(patch, mask);
  return mask;
}

/** What of the look the canvas needs; the same object while it is the same. */
export function sceneLook(): (state: Pick<State, "look" | "held">) => SceneLook {
  let last: SceneLook | null = null;
  return ({ look: { opacity, isFilled, isOutlined, areMasksHidden }, held }) => {
    const next = { opacity, isFilled, isOutlined, areMasksHidden: areMasksHidden || held.areMasksHidden };
    if (last === null || !isSame(Object.values(next), Object.values(last))) last = next;
    return last;
  };
}

/** The masks whose pixels are not there yet, or are of other run lengths: to be decoded. */
export const undecoded = (state: State): readonly Mask[] =>
  [...state.masks.values()].filter(
    (mask) => isListed(mask) && state.patches.get(mask.view.record.id)?.counts !== mask.view.record.rle.counts,
  );

function makeMasks(state: State, visible: readonly Mask[], before: ReadonlyMap<string, Made>): ReadonlyMap<string, Made> {
  const selected = new Set(state.selection);
  const { colourBy } = state.look;
  const next = new Map<string, Made>();
  for (const of of visible) {
    const { id } = of.view.record;
    const patch = state.patches.get(id)?.patch;
    if (patch === undefined) continue;
    const known = before.get(id);
    const [isSelected, isInHand] = [selected.has(id), id === state.hand?.base];
    const colours = known?.of === of && known.colourBy === colourBy ? known.mask : coloursOf(of, colourBy);
    const mask: SceneMask = { id, patch, fill: colours.fill, outline: colours.outline, isSelected, isInHand };
    // Much of a mask can change that nobody sees on the canvas: that it is saved by now, and who decided.
    next.set(id, { of, colourBy, mask: known !== undefined && isAlike(known.mask, mask) ? known.mask : mask });
  }
  return next;
}

const isAlike = (a: SceneMask, b: SceneMask): boolean =>
  a.patch === b.patch &&
  a.isSelected === b.isSelected &&
  a.isInHand === b.isInHand &&
  isSame(a.fill ?? [], b.fill ?? []) &&
  isSame(a.outline ?? [], b.outline ?? []);

function coloursOf({ view }: Mask, by: ColourBy): Pick<SceneMask, "fill" | "outline"> {
  const { id, label, track } = view.record;
  const colour = colourOf(by, { id, label, track, score: scoreOf(view.record), status: view.status });
  return { fill: colour, outline: colour };
}

const isSame = (a: readonly unknown[], b: readonly unknown[]): boolean => a.length === b.length && a.every((one, i) => one === b[i]);
