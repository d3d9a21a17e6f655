// One intent with one tool on the mask in hand: the next draft, and what the server is to be asked. Pure; which intents a
// tool understands is decided here, the rest pass without effect.

import type { Intent } from "../input/intent";
import { cutPath } from "./cutting";
import { abandon, drawn, dropVertex, type Draft, type Drawn } from "./draft";
import { lassoPath, stroke } from "./painting";
import { closeRing, deleteVertex, dragVertex, putOnEdge, putVertex, withRings } from "./polygon";
import { box, click, cycle, runQueue } from "./prompting";
import type { Tool } from "./tool";

export function stepTool(tool: Tool, draft: Draft, intent: Intent): Drawn {
  switch (intent.kind) {
    case "click":
      return click({ ...draft, gesture: null }, intent);
    case "runQueue":
      return runQueue(draft);
    case "boxing":
      return drawn({ ...draft, gesture: { kind: "box", box: intent.box } });
    case "box":
      if (tool === "everything") return drawn({ ...draft, gesture: null }, [{ kind: "findAll", box: intent.box }]);
      return box(draft, intent.box, intent.isQueued);
    case "stroke":
      return drawn(stroke(draft, intent));
    case "path":
      return drawn(tool === "cut" ? cutPath(draft, intent) : lassoPath(draft, intent));
    case "vertex":
      return drawn(putVertex(draft, intent.at, intent.isNegative));
    case "closeRing":
      return drawn(withRings(closeRing(draft)));
    case "dropVertex":
      return drawn(dropVertex(draft));
    case "moveVertex":
      return drawn(dragVertex(draft, intent.phase, intent.vertex, intent.to));
    case "insertVertex":
      return drawn(putOnEdge(draft, intent.vertex, intent.at));
    case "deleteVertex":
      return drawn(deleteVertex(draft, intent.vertex));
    case "cycle":
      return drawn(cycle(draft, intent.by));
    case "abandon":
      return drawn(abandon(draft));
    case "pick":
    case "hover":
    case "brushSize":
    case "tap":
      return drawn(draft);
  }
}

/** Change tools: a gesture under way is given up, and the polygon tool finds vertices to take hold of. */
export function enterTool(tool: Tool, draft: Draft): Draft {
  const calm = abandon(draft);
  return tool === "polygon" ? withRings(calm) : calm;
}
