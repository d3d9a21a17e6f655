// The tools by name. What each does is in its own file; which key chooses it is in the table of actions.

export const TOOLS = ["click", "box", "brush", "eraser", "polygon", "lasso", "cut", "everything", "move"] as const;

export type Tool = (typeof TOOLS)[number];

/** Radius of brush and eraser in image pixels, within what a hand can use. */
export const limitRadius = (radius: number): number => Math.min(Math.max(radius, 0.5), 500);
