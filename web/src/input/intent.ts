// What a person wants, as the input machine understood it: no screen pixels, no buttons, no keys. Tools take intents;
// moves of the view never leave the canvas.

import type { BoxXyxy, ImagePoint, ScreenPoint } from "../geometry/coords";

/** A drag has one start, any number of moves, and ends once. One that is given up gives `abandon` instead of an end. */
export type Phase = "start" | "move" | "end";

export type Intent =
  | { readonly kind: "click"; readonly at: ImagePoint; readonly positive: boolean; readonly isQueued: boolean }
  | { readonly kind: "runQueue" }
  | { readonly kind: "boxing"; readonly box: BoxXyxy }
  | { readonly kind: "box"; readonly box: BoxXyxy; readonly isQueued: boolean }
  | {
      readonly kind: "stroke";
      readonly phase: Phase;
      readonly at: ImagePoint;
      readonly radius: number;
      readonly isErasing: boolean;
    }
  | { readonly kind: "path"; readonly phase: Phase; readonly at: ImagePoint; readonly isNegative: boolean }
  | { readonly kind: "vertex"; readonly at: ImagePoint; readonly isNegative: boolean }
  | { readonly kind: "closeRing" }
  | { readonly kind: "dropVertex" }
  | { readonly kind: "moveVertex"; readonly phase: Phase; readonly vertex: VertexRef; readonly to: ImagePoint }
  | { readonly kind: "insertVertex"; readonly vertex: VertexRef; readonly at: ImagePoint }
  | { readonly kind: "deleteVertex"; readonly vertex: VertexRef }
  | { readonly kind: "pick"; readonly at: ImagePoint; readonly isAdded: boolean }
  | { readonly kind: "hover"; readonly at: ImagePoint | null }
  | { readonly kind: "brushSize"; readonly radius: number }
  | { readonly kind: "cycle"; readonly by: 1 | -1 }
  /** Space, which pans, was let go and nothing had been panned: by itself it may mean something else, such as "commit". */
  | { readonly kind: "tap" }
  | { readonly kind: "abandon" };

/** A vertex of a closed ring: which ring, which point of it. */
export type VertexRef = { readonly ring: number; readonly index: number };

export type ViewMove =
  | { readonly kind: "pan"; readonly x: number; readonly y: number }
  | { readonly kind: "zoom"; readonly at: ScreenPoint; readonly factor: number };
