// What is kept in the browser, behind the smallest interface that does: areas of keys and values, written together or not
// at all. `indexed_db.ts` is the real one; those in memory are for tests, and for browsers that keep nothing.

export type Area = "outbox" | "held" | "pasts" | "undo" | "drafts" | "settings";

/** A value of null takes the key away. */
export type Change = { readonly area: Area; readonly key: string; readonly value: unknown };

export type Storage = {
  readonly read: (area: Area) => Promise<ReadonlyMap<string, unknown>>;
  /** Rejects if it could not be kept. When it resolves, a closed page loses nothing of it. */
  readonly write: (changes: readonly Change[]) => Promise<void>;
};

/** For browsers that keep nothing: all is there as long as the page lives, and every write says that this is not longer. */
export function fleetingStorage(): Storage {
  const memory = memoryStorage();
  return {
    read: memory.read,
    write: async (changes) => {
      await memory.write(changes);
      throw new Error("this browser keeps nothing");
    },
  };
}

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
