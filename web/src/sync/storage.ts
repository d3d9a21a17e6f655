// What is kept in the browser, behind the smallest interface that does: areas of keys and values, written together or not
// at all. `indexed_db.ts` is the real one; this one in memory is for tests, and for browsers that keep nothing.

export type Area = "outbox" | "held" | "pasts" | "undo" | "drafts" | "settings";

/** A value of null takes the key away. */
export type Change = { readonly area: Area; readonly key: string; readonly value: unknown };

export type Storage = {
  readonly read: (area: Area) => Promise<ReadonlyMap<string, unknown>>;
  /** Rejects if it could not be kept. When it resolves, a closed page loses nothing of it. */
  readonly write: (changes: readonly Change[]) => Promise<void>;
};

/** Keep values as long as the page lives. */
export function memoryStorage(kept: Map<string, Map<string, unknown>> = new Map()): Storage {
  return {
    read: async (area) => structuredClone(kept.get(area) ?? new Map<string, unknown>()),
    write: async (changes) => {
      for (const { area, key, value } of structuredClone(changes)) {
        const values = kept.get(area) ?? new Map<string, unknown>();
        kept.set(area, values);
        if (value === null) values.delete(key);
        else values.set(key, value);
      }
    },
  };
}
