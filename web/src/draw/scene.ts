// What is on the canvas, as one value. A selector makes it from the state; drawing takes it and keeps nothing but caches.
// Parts that did not change must be the same objects as before: that is how drawing knows what to leave alone.

import type { BoxXyxy, ImagePoint } from "../geometry/coords";
import type { Ring } from "../geometry/rings";
import type { Patch } from "../masks/patch";
import type { Draft } from "../tools/draft";
import type { Rgb } from "./colours";
import type { Picture } from "./picture";

export type SceneMask = {
  readonly id: string;
  readonly patch: Patch;
  readonly fill: Rgb | null;
  readonly outline: Rgb | null;
  readonly isSelected: boolean;
  /** Drawn from `Scene.hand` instead. */
  readonly isInHand: boolean;
};

export type SceneLook = {
  /** Of fills, 0 to 1. */
  readonly opacity: number;
  readonly isFilled: boolean;
  readonly isOutlined: boolean;
  /** Nothing but the picture, and the mask in hand's prompts. */
  readonly areMasksHidden: boolean;
};

/** The mask in hand and what the pointer is doing to it. */
export type SceneHand = {
  readonly patch: Patch;
  readonly colour: Rgb;
  readonly stroke: { readonly patch: Patch; readonly isErasing: boolean } | null;
  readonly points: readonly { readonly at: ImagePoint; readonly positive: boolean }[];
  readonly box: BoxXyxy | null;
  /** Closed rings with vertices to take hold of; empty unless vertices are being edited. */
  readonly rings: readonly Ring[];
  readonly openRing: { readonly points: readonly ImagePoint[]; readonly isNegative: boolean } | null;
  /** A lasso or a line to cut along. */
  readonly path: { readonly points: readonly ImagePoint[]; readonly isNegative: boolean } | null;
  /** Clicks wait for the queue, or for an answer. */
  readonly isPending: boolean;
};

export type Scene = {
  readonly picture: Picture | null;
  readonly masks: readonly SceneMask[];
  readonly hand: SceneHand | null;
  /** What a click under the pointer would give. */
  readonly preview: Patch | null;
  readonly look: SceneLook;
};

export const LOOK: SceneLook = { opacity: 0.5, isFilled: true, isOutlined: true, areMasksHidden: false };
export const EMPTY_SCENE: Scene = { picture: null, masks: [], hand: null, preview: null, look: LOOK };

/** Show a draft; its vertices only while they can be edited. */
export function handOf({ work, gesture }: Draft, colour: Rgb, areVerticesShown: boolean): SceneHand {
  return {
    patch: work.patch,
    colour,
    stroke: gesture?.kind === "stroke" ? gesture : null,
    points: work.prompts.points,
    box: gesture?.kind === "box" ? gesture.box : work.prompts.box,
    rings: areVerticesShown ? (work.rings ?? []) : [],
    openRing: gesture?.kind === "ring" ? gesture : null,
    path: gesture?.kind === "path" ? gesture : null,
    isPending: work.isPending,
  };
}
