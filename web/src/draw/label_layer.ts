// All masks but the one in hand as one layer: a map of labels and a palette. Masks that change cost their own box; colours,
// opacity and selection cost the palette alone. The layer is a cache that changes in place, owned by the stage.

import { imageBox, isEmptyBox, uniteBoxes } from "../geometry/boxes";
import type { BoxXyxy, SizeHw } from "../geometry/coords";
import { createLabelMap, removePatch, setPatch, type LabelMap } from "../masks/labelmap";
import type { Patch } from "../masks/patch";
import { mix, pixel, type Rgb } from "./colours";
import type { SceneLook, SceneMask } from "./scene";

/** Colours by label, as pixels; entry 0 is nothing. */
export type Palette = { readonly fill: Uint32Array; readonly outline: Uint32Array };

export type LabelLayer = { map: LabelMap; palette: Palette; readonly shown: Map<string, Patch> };

export type LayerChange = {
  readonly layer: LabelLayer;
  /** Pixels of the map that may differ; empty if none do. */
  readonly box: BoxXyxy;
};

const OUTLINE_ALPHA = 0.95;
const SELECTED: Rgb = [255, 255, 255];
/** So many selected masks get an outline of their own on the overlay; more are told by the palette alone. */
export const MAX_OUTLINED = 24;
const STEPPED_BACK = 0.55;
/** With more changes than this share of the masks, painting the map anew is cheaper. */
const ANEW_FROM = 0.25;

/** Bring the map up to the masks of a scene. */
export function syncMap(layer: LabelLayer | null, masks: readonly SceneMask[], sizeHw: SizeHw): LayerChange {
  const wanted = new Map<string, Patch>();
  for (const { id, patch, isInHand } of masks) if (!isInHand) wanted.set(id, patch);
  if (layer === null || layer.map.sizeHw[0] !== sizeHw[0] || layer.map.sizeHw[1] !== sizeHw[1]) return anew(wanted, sizeHw);
  const gone = [...layer.shown.keys()].filter((id) => !wanted.has(id));
  const changed = [...wanted].filter(([id, patch]) => layer.shown.get(id) !== patch);
  if (gone.length + changed.length > Math.max(8, wanted.size * ANEW_FROM)) return anew(wanted, sizeHw);
  let box: BoxXyxy = [0, 0, 0, 0];
  for (const id of gone) {
    box = joined(box, removePatch(layer.map, id));
    layer.shown.delete(id);
  }
  for (const [id, patch] of changed) {
    box = joined(box, setPatch(layer.map, id, patch));
    layer.shown.set(id, patch);
  }
  return { layer, box };
}

/** The palette of the masks that are on the map, with the look worked in. With a mask in hand, the others step back. */
export function paletteOf({ slotOf, slots }: LabelMap, masks: readonly SceneMask[], look: SceneLook, isHandFull = false): Palette {
  const opacity = look.opacity * (isHandFull ? STEPPED_BACK : 1);
  const fill = new Uint32Array(slots.length + 1);
  const outline = new Uint32Array(slots.length + 1);
  const isSelectionLarge = masks.filter(({ isSelected }) => isSelected).length > MAX_OUTLINED;
  for (const mask of masks) {
    const slot = slotOf.get(mask.id);
    if (slot === undefined) continue;
    if (look.isFilled && mask.fill !== null) fill[slot + 1] = pixel(mask.fill, fillAlpha(mask, opacity));
    if (mask.isSelected && isSelectionLarge) outline[slot + 1] = pixel(SELECTED, 1);
    else if (look.isOutlined && mask.outline !== null) outline[slot + 1] = pixel(mix(mask.outline, SELECTED, 0.15), OUTLINE_ALPHA * (isHandFull ? STEPPED_BACK : 1));
  }
  return { fill, outline };
}

/** Where colours of masks on the map differ between two palettes. */
export function boxOfColours({ slots }: LabelMap, before: Palette, after: Palette): BoxXyxy {
  let box: BoxXyxy = [0, 0, 0, 0];
  slots.forEach((entry, slot) => {
    const isSame = before.fill[slot + 1] === after.fill[slot + 1] && before.outline[slot + 1] === after.outline[slot + 1];
    if (entry !== null && !isSame) box = joined(box, entry.patch.box);
  });
  return box;
}

const fillAlpha = (mask: SceneMask, opacity: number): number => (mask.isSelected ? Math.min(opacity + 0.15, 1) : opacity);

function anew(wanted: Map<string, Patch>, sizeHw: SizeHw): LayerChange {
  const map = createLabelMap(sizeHw, [...wanted].map(([id, patch]) => ({ id, patch })));
  const palette = { fill: new Uint32Array(1), outline: new Uint32Array(1) };
  return { layer: { map, palette, shown: wanted }, box: imageBox(sizeHw) };
}

/** The box of both; empty ones are nowhere. */
export const joined = (box: BoxXyxy, other: BoxXyxy): BoxXyxy => (isEmptyBox(other) ? box : isEmptyBox(box) ? other : uniteBoxes(box, other));
