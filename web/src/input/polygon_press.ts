// A press with the polygon tool: it closes the ring that is being drawn, takes hold of a vertex, puts one on an edge,
// deletes one, or begins and continues a ring.

import { toImage, toScreen } from "../view/view";
import { edgeAt, isNear, reach, vertexAt } from "./hit";
import type { VertexRef } from "./intent";
import { begin, inside, step, type Down, type InputContext, type InputState, type InputStep } from "./state";

type Press = { readonly isDouble: boolean; readonly isNegative: boolean };

export function pressPolygon(state: InputState, event: Down, context: InputContext, press: Press): InputStep {
  const at = inside(toImage(context.view, event.at), context.view);
  const { openRing } = context;
  if (openRing !== null && openRing.length > 0) {
    if (press.isDouble || closes(event, context)) return step({ ...state, lastDown: null }, [{ kind: "closeRing" }]);
    return step(state, [{ kind: "vertex", at, isNegative: press.isNegative }]);
  }
  return pressRings(state, event, context, press);
}

function pressRings(state: InputState, event: Down, context: InputContext, press: Press): InputStep {
  const { view, rings } = context;
  const within = reach(event.device);
  const vertex = vertexAt(view, rings, event.at, within);
  if (vertex !== null) {
    if (event.button === 2 || press.isDouble) return step(state, [{ kind: "deleteVertex", vertex }]);
    return hold(state, event, vertex, context);
  }
  if (press.isDouble) return step(state);
  const edge = event.button === 0 ? edgeAt(view, rings, event.at, within * 0.75) : null;
  if (edge === null) {
    const at = inside(toImage(view, event.at), view);
    return step(state, [{ kind: "vertex", at, isNegative: press.isNegative }]);
  }
  // The next press there is no second one of a double click, which would delete what was just put.
  const held = hold({ ...state, lastDown: null }, event, edge.vertex, context);
  return { ...held, intents: [{ kind: "insertVertex", vertex: edge.vertex, at: edge.at }, ...held.intents] };
}

function hold(state: InputState, event: Down, vertex: VertexRef, context: InputContext): InputStep {
  const to = inside(toImage(context.view, event.at), context.view);
  return begin(state, { kind: "vertex", pointer: event.pointer, vertex }, [{ kind: "moveVertex", phase: "start", vertex, to }]);
}

/** The first point of an open ring closes it, once there are three. */
function closes(event: Down, context: InputContext): boolean {
  const first = context.openRing?.[0];
  if (first === undefined || (context.openRing?.length ?? 0) < 3) return false;
  return isNear(toScreen(context.view, first), event.at, reach(event.device) + 2);
}
