// Which vertex or edge lies under the pointer. Distances are screen pixels: a handle is as easy to hit at any zoom.

import type { ImagePoint, ScreenPoint } from "../geometry/coords";
import { hitEdge, hitVertex, type VertexHit } from "../geometry/hits";
import type { Ring } from "../geometry/rings";
import { toImage, type View } from "../view/view";
import type { Device } from "./event";
import type { VertexRef } from "./intent";

export const reach = (device: Device): number => (device === "touch" ? 18 : 8);

export function vertexAt(view: View, rings: readonly Ring[], at: ScreenPoint, within: number): VertexRef | null {
  const hit = nearest(rings, (ring) => hitVertex(ring, toImage(view, at), within / view.scale));
  return hit && { ring: hit.ring, index: hit.index };
}

/** The place on an edge under the pointer, and the index that a vertex put there gets. */
export function edgeAt(
  view: View,
  rings: readonly Ring[],
  at: ScreenPoint,
  within: number,
): { readonly vertex: VertexRef; readonly at: ImagePoint } | null {
  const hit = nearest(rings, (ring) => hitEdge(ring, toImage(view, at), within / view.scale));
  return hit && { vertex: { ring: hit.ring, index: hit.index + 1 }, at: hit.at };
}

export const isNear = (a: ScreenPoint, b: ScreenPoint, within: number): boolean =>
  (a.x - b.x) ** 2 + (a.y - b.y) ** 2 <= within * within;

function nearest(rings: readonly Ring[], hitOf: (ring: Ring) => VertexHit | null): (VertexHit & { ring: number }) | null {
  let best: (VertexHit & { ring: number }) | null = null;
  for (const [ring, each] of rings.entries()) {
    const hit = hitOf(each);
    if (hit !== null && (best === null || hit.distance < best.distance)) best = { ...hit, ring };
  }
  return best;
}
