// Storage in IndexedDB: it survives the page, the browser and the machine's restart. One database for each server and
// annotator, so that nobody's work is ever sent under another's name or to another store.

import type { Area, Change, Storage } from "./storage";

const AREAS: readonly Area[] = ["outbox", "held", "pasts", "undo", "drafts", "settings"];
const VERSION = 1;

/** Open the database of a scope. Rejects where the browser keeps nothing (private windows of some). */
export async function openStorage(scope: string, factory: IDBFactory = indexedDB): Promise<Storage> {
  const database = await opened(factory, `maskwright.review.${scope}`);
  return {
    read: async (area) => {
      const store = database.transaction(area).objectStore(area);
      const [keys, values] = await Promise.all([result(store.getAllKeys()), result<unknown[]>(store.getAll())]);
      return new Map(keys.map((key, i) => [String(key), values[i]]));
    },
    write: (changes) => (changes.length === 0 ? Promise.resolve() : written(database, changes)),
  };
}

function opened(factory: IDBFactory, name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(name, VERSION);
    request.onupgradeneeded = () => AREAS.forEach((area) => request.result.createObjectStore(area));
    request.onblocked = () => reject(new Error("another tab holds an older version of what is kept. Close it"));
    request.onerror = () => reject(request.error ?? new Error("the browser keeps nothing"));
    request.onsuccess = () => {
      // A newer version of the app in another tab may upgrade; this one goes on without.
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
  });
}

function written(database: IDBDatabase, changes: readonly Change[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const areas = [...new Set(changes.map((change) => change.area))];
    // Settings may be lost with the machine's power; work may not.
    const durability = areas.some((area) => area !== "settings") ? "strict" : "relaxed";
    const transaction = database.transaction(areas, "readwrite", { durability });
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error ?? new Error("it could not be kept"));
    transaction.onabort = () => reject(transaction.error ?? new Error("it could not be kept"));
    for (const { area, key, value } of changes) {
      const store = transaction.objectStore(area);
      if (value === null) store.delete(key);
      else store.put(value, key);
    }
  });
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("what was kept cannot be read"));
  });
}
