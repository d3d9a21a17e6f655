// What of the state is kept in the browser, as the changes between two states, and back.

import { grounded } from "../state/undo";
import type { State, Undo } from "../state/values";
import type { Entry, Held } from "./entry";
import { sorted, standing, type Outbox } from "./outbox";
import type { Past } from "./parts";
import type { Change, Storage } from "./storage";

const UNDO = "stacks";
const TRIED = "tried";
const NO_UNDO: Undo = { past: [], future: [] };

/** What has to be written for a change of the outbox and of undo; nothing where they are the same. */
export function changesBetween(before: State, after: State): readonly Change[] {
  const changes: Change[] = [];
  const note = <V>(area: Change["area"], was: ReadonlyMap<string, V>, is: ReadonlyMap<string, V>): void => {
    if (was === is) return;
    for (const key of was.keys()) if (!is.has(key)) changes.push({ area, key, value: null });
    for (const [key, value] of is) if (was.get(key) !== value) changes.push({ area, key, value });
  };
  if (before.outbox !== after.outbox) {
    note("outbox", waitingOf(before.outbox), waitingOf(after.outbox));
    note("held", heldOf(before.outbox), heldOf(after.outbox));
    note("pasts", before.outbox.pasts, after.outbox.pasts);
    // What came to nothing at once was never in the line here, but another tab may have kept it.
    for (const key of after.outbox.pasts.keys()) {
      if (!before.outbox.pasts.has(key)) changes.push({ area: "outbox", key, value: null });
    }
    if (before.outbox.tried !== after.outbox.tried) changes.push({ area: "settings", key: TRIED, value: after.outbox.tried });
  }
  if (before.undo !== after.undo) changes.push({ area: "undo", key: UNDO, value: after.undo });
  return changes;
}

/** The outbox after changes that another tab made to it. */
export function synced(outbox: Outbox, changes: readonly Change[]): Outbox {
  const take = <V>(area: Change["area"], values: ReadonlyMap<string, V>): ReadonlyMap<string, V> => {
    const own = changes.filter((change) => change.area === area);
    if (own.length === 0) return values;
    const next = new Map(values);
    for (const { key, value } of own) {
      if (value === null) next.delete(key);
      else next.set(key, value as V);
    }
    return next;
  };
  const told = changes.find((change) => change.area === "settings" && change.key === TRIED);
  const tried = told === undefined ? outbox.tried : (told.value as string | null);
  return outboxOf(take("outbox", waitingOf(outbox)), take("held", heldOf(outbox)), take("pasts", outbox.pasts), tried);
}

/** Read what was kept. */
export async function readKept(storage: Storage): Promise<{ readonly outbox: Outbox; readonly undo: Undo }> {
  const [waiting, held, pasts, undo, settings] = await Promise.all([
    storage.read("outbox"),
    storage.read("held"),
    storage.read("pasts"),
    storage.read("undo"),
    storage.read("settings"),
  ]);
  const tried = (settings.get(TRIED) as string | undefined) ?? null;
  const byOrder = [...(pasts as ReadonlyMap<string, Past>)].sort(([, a], [, b]) => a.order - b.order);
  const outbox = outboxOf(waiting as ReadonlyMap<string, Entry>, held as ReadonlyMap<string, Held>, new Map(byOrder), tried);
  return { outbox, undo: grounded((undo.get(UNDO) as Undo | undefined) ?? NO_UNDO, outbox) };
}

const outboxOf = (
  waiting: ReadonlyMap<string, Entry>,
  held: ReadonlyMap<string, Held>,
  pasts: Outbox["pasts"],
  tried: string | null,
): Outbox => ({ waiting: sorted([...waiting.values()]), held: standing([...held.values()]), pasts, tried });

const waitingOf = ({ waiting }: Outbox): ReadonlyMap<string, Entry> => new Map(waiting.map((one) => [one.key, one]));
const heldOf = ({ held }: Outbox): ReadonlyMap<string, Held> => new Map(held.map((one) => [one.entry.key, one]));
