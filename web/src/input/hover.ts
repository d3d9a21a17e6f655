// When to ask for a preview: at most one question is open, not more often than the pause allows, and the last place the
// pointer was at wins. Pure: the clock comes in with each event.

import type { ImagePoint } from "../geometry/coords";

export type HoverState = {
  /** The open question, and whether its answer is still of use. */
  readonly open: { readonly id: number; readonly isWanted: boolean } | null;
  readonly next: number;
  readonly waiting: ImagePoint | null;
  readonly askedAt: number;
};

export type HoverEvent =
  | { readonly kind: "moved"; readonly at: ImagePoint; readonly time: number }
  | { readonly kind: "answered"; readonly id: number; readonly time: number }
  | { readonly kind: "tick"; readonly time: number }
  | { readonly kind: "left" };

export type HoverStep = {
  readonly state: HoverState;
  readonly ask: { readonly id: number; readonly at: ImagePoint } | null;
  /** The answer that came is to be shown. */
  readonly isShown: boolean;
};

const PAUSE_MS = 40;

export const HOVER_IDLE: HoverState = { open: null, next: 1, waiting: null, askedAt: -Infinity };

export function hoverStep(state: HoverState, event: HoverEvent): HoverStep {
  switch (event.kind) {
    case "moved":
      return ask({ ...state, waiting: event.at }, event.time);
    case "answered": {
      if (event.id !== state.open?.id) return { state, ask: null, isShown: false };
      return { ...ask({ ...state, open: null }, event.time), isShown: state.open.isWanted };
    }
    case "tick":
      return ask(state, event.time);
    case "left": {
      const open = state.open === null ? null : { ...state.open, isWanted: false };
      return { state: { ...state, open, waiting: null }, ask: null, isShown: false };
    }
  }
}

/** How long until a waiting place may be asked about; null when nothing waits for the clock. */
export const hoverWait = (state: HoverState, time: number): number | null =>
  state.waiting === null || state.open !== null ? null : Math.max(state.askedAt + PAUSE_MS - time, 0);

function ask(state: HoverState, time: number): HoverStep {
  const { waiting, open, next, askedAt } = state;
  const mayAsk = waiting !== null && open === null && time - askedAt >= PAUSE_MS;
  if (!mayAsk) return { state, ask: null, isShown: false };
  const asked: HoverState = { open: { id: next, isWanted: true }, next: next + 1, waiting: null, askedAt: time };
  return { state: asked, ask: { id: next, at: waiting }, isShown: false };
}
