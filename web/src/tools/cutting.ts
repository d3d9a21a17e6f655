// Cut: a line across the mask in hand divides it. What remains stays in hand; the parts that came off become masks of their
// own when it is saved, so that undoing a cut, or putting the mask down, leaves nothing behind.

import type { ImagePoint } from "../geometry/coords";
import { cut } from "../masks/cut";
import type { Intent } from "../input/intent";
import { byHand, finish, type Draft } from "./draft";
import { path } from "./painting";

export function cutPath(draft: Draft, intent: Extract<Intent, { kind: "path" }>): Draft {
  const next = path(draft, intent);
  if (intent.phase !== "end" || next.gesture?.kind !== "path") return next;
  return divided(draft, next.gesture.points);
}

function divided(draft: Draft, points: readonly ImagePoint[]): Draft {
  const [kept, ...off] = cut(draft.work.patch, points);
  if (kept === undefined || off.length === 0) return { ...draft, gesture: null };
  const pieces = [...(draft.work.pieces ?? []), ...off];
  return finish(draft, "cut", byHand(kept, { pieces }));
}
