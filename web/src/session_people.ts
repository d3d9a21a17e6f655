// The part of the address that is about the work of several people: the view, and the queue with the place in it.

import { isQueueName, type People, type QueueChoice, type View } from "./state/people";

export type PeopleSession = { readonly view: View; readonly queue: QueueChoice | null };

const VIEWS: readonly View[] = ["work", "dashboard", "disagreements"];

export const peopleSessionOf = ({ view, queue }: People): PeopleSession => ({ view, queue });

export function writePeople(query: URLSearchParams, { view, queue }: PeopleSession): void {
  if (view !== "work") query.set("view", view);
  if (queue === null) return;
  query.set("queue", queue.name);
  if (queue.seed !== 0) query.set("seed", String(queue.seed));
  if (queue.isBlind) query.set("blind", "yes");
  if (queue.after !== null) query.set("after", queue.after);
}

export function readPeople(query: URLSearchParams): PeopleSession {
  const name = query.get("queue") ?? "";
  const seed = Number(query.get("seed") ?? 0);
  const queue = !isQueueName(name) ? null : { name, seed: isSeed(seed) ? seed : 0, after: query.get("after") || null, isBlind: query.get("blind") === "yes" };
  return { view: VIEWS.find((one) => one === query.get("view")) ?? "work", queue };
}

const isSeed = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < 2 ** 31;
