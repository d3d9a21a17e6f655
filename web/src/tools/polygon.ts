// The polygon tool: rings drawn vertex by vertex, and the vertices of the mask in hand moved, added and deleted. Rings
// follow the even-odd rule, so one inside another is a hole and one inside that an island. A vertex that moves changes
// the pixels between the old outline and the new one and no others: outlines are simpler than the mask they came from.

import type { ImagePoint } from "../geometry/coords";
import { insertVertex, moveVertex, removeVertex, ringOf, ringsOf, type Ring } from "../geometry/rings";
import { simplify } from "../geometry/simplify";
import { smooth } from "../geometry/smooth";
import type { Phase, VertexRef } from "../input/intent";
import { difference, intersection, isEmpty, union } from "../masks/algebra";
import { fillIsland } from "../masks/fill";
import { emptyPatch, type Patch } from "../masks/patch";
import { trace } from "../masks/trace";
import { byHand, finish, type Draft, type Work } from "./draft";

// So far may an outline with few vertices stray from the mask's, in pixels.
const TOLERANCE = 0.8;

/** Give the mask in hand vertices to take hold of. */
export function withRings(draft: Draft): Draft {
  if (draft.work.rings !== null) return draft;
  return { ...draft, work: { ...draft.work, rings: editableRings(draft.work.patch) } };
}

export function putVertex(draft: Draft, at: ImagePoint, isNegative: boolean): Draft {
  const { gesture } = draft;
  if (gesture?.kind !== "ring") return { ...draft, gesture: { kind: "ring", points: [at], isNegative } };
  return { ...draft, gesture: { ...gesture, points: [...gesture.points, at] } };
}

/** Close the ring that is being drawn: a hole if all of it lies on the mask or it was begun to take away, else an addition. */
export function closeRing(draft: Draft): Draft {
  const { gesture, work } = draft;
  if (gesture?.kind !== "ring") return draft;
  if (gesture.points.length < 3) return { ...draft, gesture: null };
  const ring = ringOf(gesture.points);
  const patch = fillIsland({ exterior: ring, holes: [] }, draft.sizeHw);
  const isWithin = isEmpty(difference(patch, work.patch));
  const isApart = isEmpty(intersection(patch, work.patch));
  if (isEmpty(patch) || (isApart && gesture.isNegative)) return { ...draft, gesture: null };
  const next = isWithin || gesture.isNegative ? difference(work.patch, patch) : union(work.patch, patch);
  // A ring that crosses the outline leaves other rings than were drawn: they are traced anew.
  const rings = isWithin || isApart ? [...(work.rings ?? []), ring] : editableRings(next);
  return finish(draft, "ring", byHand(next, work, rings));
}

export function dragVertex(draft: Draft, phase: Phase, { ring, index }: VertexRef, to: ImagePoint): Draft {
  const held = phase === "start" ? grabbed(draft) : draft;
  const { gesture } = held;
  if (gesture?.kind !== "vertex") return draft;
  if (phase === "start") return held;
  const rings = withRing(held.work.rings, ring, (points) => moveVertex(points, index, to));
  const moved = { ...held, work: { ...held.work, rings } };
  return phase === "move" ? moved : settled(moved, gesture.before, rings);
}

/** Put a vertex on an edge; the drag that follows belongs to the same unit. */
export function putOnEdge(draft: Draft, { ring, index }: VertexRef, at: ImagePoint): Draft {
  const rings = withRing(draft.work.rings, ring, (points) => insertVertex(points, index - 1, at));
  return { ...draft, work: { ...draft.work, rings }, gesture: { kind: "vertex", before: draft.work, hasInserted: true } };
}

/** A ring that keeps fewer than three vertices goes: a hole is filled, an island disappears. */
export function deleteVertex(draft: Draft, { ring, index }: VertexRef): Draft {
  const { work } = draft;
  const rings = (work.rings ?? []).flatMap((points, i) => {
    if (i !== ring) return [points];
    const left = removeVertex(points, index);
    return left === null ? [] : [left];
  });
  return settled(draft, work, rings);
}

const grabbed = (draft: Draft): Draft =>
  draft.gesture?.kind === "vertex"
    ? draft
    : { ...draft, gesture: { kind: "vertex", before: draft.work, hasInserted: false } };

function settled(draft: Draft, before: Work, rings: readonly Ring[]): Draft {
  const isSameShape = before.rings?.length === rings.length && rings.every((ring, i) => sameRing(ring, before.rings?.[i]));
  if (isSameShape) return { ...draft, work: before, gesture: null };
  const patch = redrawn(before, rings, draft.sizeHw);
  return finish(draft, "vertex", byHand(patch, before, rings), before);
}

function redrawn({ patch, rings }: Work, next: readonly Ring[], sizeHw: Draft["sizeHw"]): Patch {
  const was = evenOdd(rings ?? [], sizeHw);
  const is = evenOdd(next, sizeHw);
  return union(difference(patch, difference(was, is)), difference(is, was));
}

function evenOdd(rings: readonly Ring[], sizeHw: Draft["sizeHw"]): Patch {
  const [exterior, ...holes] = rings;
  return exterior === undefined ? emptyPatch(sizeHw) : fillIsland({ exterior, holes }, sizeHw);
}

const withRing = (rings: readonly Ring[] | null, at: number, changed: (ring: Ring) => Ring): readonly Ring[] =>
  (rings ?? []).map((ring, i) => (i === at ? changed(ring) : ring));

const sameRing = (ring: Ring, other: Ring | undefined): boolean =>
  other !== undefined && ring.length === other.length && ring.every((value, i) => value === other[i]);

/** Outlines with as few vertices as a hand can deal with; the staircase of pixels is smoothed away first. */
const editableRings = (patch: Patch): readonly Ring[] =>
  isEmpty(patch) ? [] : simplify(smooth(trace(patch), 1), TOLERANCE).islands.flatMap(ringsOf);
