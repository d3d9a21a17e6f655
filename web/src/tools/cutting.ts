// Cut: a line across the mask in hand divides it. What remains stays in hand, the parts that came off become masks of
// their own.

import type { ImagePoint } from "../geometry/coords";
import { cut } from "../masks/cut";
import type { Intent } from "../input/intent";
import { byHand, drawn, finish, type Draft, type Drawn } from "./draft";
import { path } from "./painting";

export function cutPath(draft: Draft, intent: Extract<Intent, { kind: "path" }>): Drawn {
  const next = path(draft, intent);
  if (intent.phase !== "end" || next.gesture?.kind !== "path") return drawn(next);
  return divided(draft, next.gesture.points);
}

function divided(draft: Draft, points: readonly ImagePoint[]): Drawn {
  const [kept, ...off] = cut(draft.work.patch, points);
  if (kept === undefined || off.length === 0) return drawn({ ...draft, gesture: null });
  return drawn(finish(draft, "cut", byHand(kept)), [{ kind: "addMasks", patches: off }]);
}
