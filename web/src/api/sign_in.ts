// The token of a sign-in link (…/#token=mw_…). It stands in the fragment, which browsers send nowhere, leaves the address
// bar at once, and is kept for this tab only.

const KEPT_AS = "maskwright.token";

export type TokenPlaces = {
  readonly location: Pick<Location, "hash" | "pathname" | "search">;
  readonly history: Pick<History, "replaceState" | "state">;
  readonly kept: Pick<Storage, "getItem" | "setItem">;
};

/** Find the token in the link or, failing that, the one kept; the address bar is cleared of it. */
export function takeToken({ location, history, kept }: TokenPlaces): string | null {
  const { token, rest } = tokenIn(location.hash);
  if (token === null) return kept.getItem(KEPT_AS);
  kept.setItem(KEPT_AS, token);
  history.replaceState(history.state, "", `${location.pathname}${location.search}${rest}`);
  return token;
}

/** Keep a token for this tab. */
export const keepToken = (kept: Pick<Storage, "setItem">, token: string): void => kept.setItem(KEPT_AS, token);

/** The token in what somebody pasted: a whole link, or the token alone; null where there is none. */
export function tokenOf(pasted: string): string | null {
  const found = /token=([^&\s]+)/.exec(pasted)?.[1];
  return found === undefined ? pasted.trim() || null : decodeURIComponent(found);
}

/** Split a fragment into the token and what else is in it. */
export function tokenIn(hash: string): { readonly token: string | null; readonly rest: string } {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const token = parts.get("token");
  if (token === null || token === "") return { token: null, rest: hash };
  parts.delete("token");
  const rest = parts.toString();
  return { token, rest: rest === "" ? "" : `#${rest}` };
}
