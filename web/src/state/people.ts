// What concerns the work of several people: which view is open, the queue that is walked, and what a second look came to.
// Pure.

import type { Operations } from "../api/types";

/** Of a queue that a rule makes, or of one that somebody picked. */
export type QueueName = Operations["get_queue"]["path"]["name"];
export type RuleQueue = "uncertain" | "drifting" | "second_look" | "disagreed" | "audit";
export type View = "work" | "dashboard" | "disagreements";

/** A queue and the place in it: who opens the address goes on there. */
export type QueueChoice = {
  readonly name: QueueName;
  /** Of the order of an audit. */
  readonly seed: number;
  /** The cursor of the mask before the present one; null at the beginning. */
  readonly after: string | null;
  /** A second look without the first one's pixels and decision. */
  readonly isBlind: boolean;
};

export type QueueItem = { readonly recordId: string; readonly frame: string; readonly cursor: string; readonly value: number | null; readonly reasons: readonly string[] };

/** A page of a queue, and which of it is open. */
export type Walk = {
  readonly items: readonly QueueItem[];
  readonly place: number;
  readonly nextCursor: string | null;
  /** With the first of the page. */
  readonly numLeft: number;
  readonly isLoading: boolean;
};

/** How a second look compares with the first. */
export type SecondLook = {
  readonly recordId: string;
  readonly other: string;
  readonly iou: number;
  readonly difference: "none" | "label" | "pixels" | "decision";
};

export type People = {
  readonly view: View;
  readonly queue: QueueChoice | null;
  readonly walk: Walk | null;
  readonly lastLook: SecondLook | null;
};

export type PeopleEvent = { readonly type: "people-changed"; readonly people: Partial<People> };

export const NO_WALK: Walk = { items: [], place: 0, nextCursor: null, numLeft: 0, isLoading: true };
export const BEGIN_PEOPLE: People = { view: "work", queue: null, walk: null, lastLook: null };
export const RULE_QUEUES: readonly RuleQueue[] = ["uncertain", "drifting", "second_look", "disagreed", "audit"];

export const isQueueName = (name: string): boolean => /^[a-z0-9][a-z0-9_-]{0,63}$/.test(name);

export const currentItem = ({ walk }: People): QueueItem | null => walk?.items[walk.place] ?? null;

/** How many masks are left, with the present one. */
export const numLeft = ({ walk }: People): number | null => (walk === null || walk.isLoading ? null : Math.max(walk.numLeft - walk.place, 0));

/** Whether a mask is one whose first decision must not be seen. */
export const isHidden = (people: People, recordId: string): boolean =>
  people.queue?.name === "second_look" && people.queue.isBlind && currentItem(people)?.recordId === recordId;
