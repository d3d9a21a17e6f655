// Parts under their objects: a record's parent is the mask that it is a part of. Pure. A parent that is not in sight, or
// parents that go round in a circle, which two people can bring about, hide no mask.

import type { Mask, State } from "./values";

export type Row = {
  readonly mask: Mask;
  /** 0 for a mask that is a part of none in sight. */
  readonly depth: number;
  readonly numParts: number;
  readonly isCollapsed: boolean;
};

/** Masks as rows of a tree, parts after what they are parts of; siblings keep their order. Those below a collapsed one are left out. */
export function rowsOf(masks: readonly Mask[], collapsed: ReadonlySet<string>): readonly Row[] {
  const parts = partsIn(masks);
  const rows: Row[] = [];
  const seen = new Set<string>();
  const add = (mask: Mask, depth: number, isHidden: boolean): void => {
    const { id } = mask.view.record;
    if (seen.has(id)) return;
    seen.add(id);
    const own = parts.get(id) ?? [];
    const isCollapsed = own.length > 0 && collapsed.has(id);
    if (!isHidden) rows.push({ mask, depth, numParts: own.length, isCollapsed });
    for (const part of own) add(part, depth + 1, isHidden || isCollapsed);
  };
  const ids = new Set(parts.size === 0 ? [] : masks.map(({ view }) => view.record.id));
  for (const mask of masks) if (!ids.has(mask.view.record.parent ?? "")) add(mask, 0, false);
  for (const mask of masks) add(mask, 0, false); // what is left goes round in a circle
  return rows;
}

function partsIn(masks: readonly Mask[]): ReadonlyMap<string, readonly Mask[]> {
  const found = new Map<string, Mask[]>();
  for (const mask of masks) {
    const { parent, id } = mask.view.record;
    if (parent === null || parent === id) continue;
    const list = found.get(parent);
    if (list === undefined) found.set(parent, [mask]);
    else list.push(mask);
  }
  return found;
}

/** Masks and all that are parts of them, and of those. */
export function withParts(masks: State["masks"], ids: readonly string[]): readonly string[] {
  const parts = partsIn([...masks.values()]);
  const found = new Set<string>();
  const add = (id: string): void => {
    if (found.has(id)) return;
    found.add(id);
    for (const part of parts.get(id) ?? []) add(part.view.record.id);
  };
  ids.forEach(add);
  return [...found];
}

/** What a mask is a part of, the nearest first. */
export function wholesOf(masks: State["masks"], id: string): readonly string[] {
  const found: string[] = [];
  let next = masks.get(id)?.view.record.parent ?? null;
  while (next !== null && next !== id && !found.includes(next)) {
    found.push(next);
    next = masks.get(next)?.view.record.parent ?? null;
  }
  return found;
}

/** Whether a mask can become a part of another: not of itself, nor of a part of its own. */
export const canBePart = (masks: State["masks"], id: string, of: string): boolean => id !== of && !wholesOf(masks, of).includes(id);
