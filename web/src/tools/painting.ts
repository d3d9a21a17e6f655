// Brush, eraser and lasso. A stroke grows as a patch of its own while the button is down, so that a move costs what the
// stroke covers and not what the mask does; it joins the mask when the button comes up.

import type { ImagePoint } from "../geometry/coords";
import { difference, isEmpty, isSame, union } from "../masks/algebra";
import { paintStroke } from "../masks/brush";
import { lasso } from "../masks/fill";
import { emptyPatch, type Patch } from "../masks/patch";
import type { Phase } from "../input/intent";
import { byHand, finish, type Draft } from "./draft";

type Stroke = { readonly phase: Phase; readonly at: ImagePoint; readonly radius: number; readonly isErasing: boolean };
type Path = { readonly phase: Phase; readonly at: ImagePoint; readonly isNegative: boolean };

export function stroke(draft: Draft, { phase, at, radius, isErasing }: Stroke): Draft {
  if (phase === "start") {
    const patch = dabs(draft, [at], radius);
    return { ...draft, gesture: { kind: "stroke", patch, isErasing, last: at } };
  }
  const { gesture } = draft;
  if (gesture?.kind !== "stroke") return draft;
  const patch = union(gesture.patch, dabs(draft, [gesture.last, at], radius));
  if (phase === "move") return { ...draft, gesture: { ...gesture, patch, last: at } };
  return joined(draft, patch, gesture.isErasing ? "erase" : "stroke", gesture.isErasing);
}

export function lassoPath(draft: Draft, { phase, at, isNegative }: Path): Draft {
  const next = path(draft, { phase, at, isNegative });
  if (phase !== "end" || next.gesture?.kind !== "path") return next;
  return joined(draft, lasso(next.gesture.points, draft.sizeHw), "lasso", next.gesture.isNegative);
}

/** Follow the pointer; steps shorter than a third of a pixel say nothing. */
export function path(draft: Draft, { phase, at, isNegative }: Path): Draft {
  if (phase === "start") return { ...draft, gesture: { kind: "path", points: [at], isNegative } };
  const { gesture } = draft;
  if (gesture?.kind !== "path") return draft;
  const last = gesture.points.at(-1);
  if (last !== undefined && Math.hypot(at.x - last.x, at.y - last.y) < 0.3) return draft;
  return { ...draft, gesture: { ...gesture, points: [...gesture.points, at] } };
}

/** A gesture that changes no pixel is no unit of undo. */
function joined(draft: Draft, patch: Patch, name: "stroke" | "erase" | "lasso", isTaken: boolean): Draft {
  const { work } = draft;
  const next = isTaken ? difference(work.patch, patch) : union(work.patch, patch);
  if (isEmpty(patch) || isSame(next, work.patch)) return { ...draft, gesture: null };
  return finish(draft, name, byHand(next, work));
}

const dabs = ({ sizeHw }: Draft, points: readonly ImagePoint[], radius: number): Patch =>
  paintStroke(emptyPatch(sizeHw), points, { radius, isErasing: false });
