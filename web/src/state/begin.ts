// Puts the review application together in a browser: who signs in, where work is kept, which tab sends, what the window
// tells. Everything below it can be tested without a window; this cannot, and so holds no decisions of its own.

import { DEFAULT_KEYS, keymapOf, readKeySettings, type Keymap, type KeySettings } from "../actions/keymap";
import { createKeys } from "../actions/keys";
import type { Client } from "../api/client";
import type { Problem } from "../api/problem";
import { createSession } from "../api/session";
import { keepToken, takeToken } from "../api/sign_in";
import { isTaken } from "../input/dom";
import { openStorage } from "../sync/indexed_db";
import type { Clock } from "../sync/sender";
import { fleetingStorage, type Storage } from "../sync/storage";
import { browserTabs } from "../sync/tabs";
import { startMaskWorker } from "../worker/client";
import { keepAddress } from "./address";
import { createReview, type MaskCodec, type Review } from "./review";
import { mayLeave } from "./select";
import { createSignIn, type SignIn } from "./sign_in_again";

export type Begun =
  | { readonly kind: "ready"; readonly review: Review; readonly keys: KeyboardOf; readonly client: Client; readonly signIn: SignIn }
  /** There is no token, or it is not valid. */
  | { readonly kind: "sign_in"; readonly problem: Problem }
  /** The server is away; begin again a little later. */
  | { readonly kind: "away"; readonly problem: Problem };

export type KeyboardOf = {
  readonly settings: () => KeySettings;
  readonly keymap: () => Keymap;
  readonly change: (settings: KeySettings) => void;
  readonly subscribe: (run: (keymap: Keymap) => void) => () => void;
};

const KEYS = "keys";

/** Begin; without a valid token, or where the server is away, say so instead. */
export async function beginReview(address = ""): Promise<Begun> {
  const ofTab = tabKept();
  let begun: Review | null = null;
  const session = createSession({
    token: takeToken({ location, history, kept: ofTab }),
    address,
    keep: (token) => keepToken(ofTab, token),
    onSignedOut: (problem) => begun?.store.dispatch({ type: "link-changed", link: { state: "signed_out", problem, retryAt: null } }),
  });
  const { client } = session;
  const caller = await client.call("caller");
  if (!caller.ok) return { kind: caller.problem.kind === "signed_out" ? "sign_in" : "away", problem: caller.problem };
  const health = await client.call("health_live");
  // Of a store and a person: what waits for one is never sent to another.
  const scope = `${caller.value.store ?? ""}.${caller.value.name}`;
  const lasting = await openStorage(scope).catch(() => null);
  const storage = lasting ?? fleetingStorage();
  const review = createReview({
    client: () => client,
    caller: caller.value,
    models: health.ok ? health.value.models : [],
    storage,
    tabs: await browserTabs(scope, ofTab, newId),
    clock: CLOCK,
    newId,
    codec: codecOf(),
    isShown: () => document.visibilityState === "visible",
  });
  begun = review;
  review.start();
  if (lasting === null) review.store.dispatch({ type: "link-changed", link: { isDurable: false } });
  listen(review);
  const keys = await keyboardOf(storage, review);
  await review.frames.list();
  await keepAddress(review.store, review.frames, {
    location,
    history,
    onPop: (run) => window.addEventListener("popstate", run),
    later: (run, ms) => void setTimeout(run, ms),
    now: Date.now,
  });
  return { kind: "ready", review, keys, client, signIn: createSignIn(review, session, caller.value.name) };
}

/** What a tab keeps across reloads; where the browser lets it keep nothing, as long as the page lives. */
export function tabKept(): Pick<globalThis.Storage, "getItem" | "setItem"> {
  try {
    sessionStorage.getItem("");
    return sessionStorage;
  } catch {
    const kept = new Map<string, string>();
    return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) };
  }
}

// Pages that are not served over TLS, on another machine, have no randomUUID.
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const CLOCK: Clock = {
  now: Date.now,
  random: Math.random,
  wait: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done);
    }),
};

function codecOf(): MaskCodec {
  const worker = startMaskWorker();
  return {
    decode: async (rles) => (await worker.ask("decode", rles)).patches,
    interpolate: (from, to, shares) => worker.ask("interpolate", { from, to, shares }),
    encode: (patch) => worker.ask("encode", [patch]).then(([rle]) => rle ?? Promise.reject(new Error("no mask came back"))),
  };
}

function listen(review: Review): void {
  window.addEventListener("online", review.wake);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) void review.resume().then(review.refresh);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") void review.resume().then(review.refresh);
  });
  window.addEventListener("beforeunload", (event) => {
    if (!mayLeave(review.store.get())) event.preventDefault();
  });
}

async function keyboardOf(storage: Storage, review: Review): Promise<KeyboardOf> {
  const kept = await storage.read("settings").catch(() => new Map<string, unknown>());
  let settings = kept.has(KEYS) ? readKeySettings(kept.get(KEYS)) : DEFAULT_KEYS;
  let keymap = keymapOf(settings);
  const told = new Set<(keymap: Keymap) => void>();
  const keys = createKeys({ keymap: () => keymap, state: review.store.get, perform: review.perform, hold: review.hold });
  window.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || isTaken(event.target, event.key)) return;
    if (keys.down(event)) event.preventDefault();
  });
  window.addEventListener("keyup", keys.up);
  window.addEventListener("blur", keys.blur);
  return {
    settings: () => settings,
    keymap: () => keymap,
    change: (next) => {
      settings = next;
      keymap = keymapOf(next);
      void storage.write([{ area: "settings", key: KEYS, value: next }]).catch(() => undefined);
      told.forEach((run) => run(keymap));
    },
    subscribe: (run) => {
      told.add(run);
      run(keymap);
      return () => void told.delete(run);
    },
  };
}
