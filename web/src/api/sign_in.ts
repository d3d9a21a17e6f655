// The token of a sign-in link (…/#token=mw_…). It stands in the fragment, which browsers send nowhere, leaves the address
// bar at once, and is kept for this tab only.

const KEPT_AS = "maskwright.token";

export type TokenPlaces = {
  readonly location: Pick<Location, "hash" | "pathname" | "search">;
  readonly history: Pick<History, "replaceState" | "state">;
  readonly kept: Pick<Storage, "getItem" | "setItem" | "removeItem">;
};

/** Find the token in the link or, failing that, the one kept; the address bar is cleared of it. */
export function takeToken({ location, history, kept }: TokenPlaces): string | null {
  const { token, rest } = tokenIn(location.hash);
  if (token === null) return kept.getItem(KEPT_AS);
  kept.setItem(KEPT_AS, token);
  history.replaceState(history.state, "", `${location.pathname}${location.search}${rest}`);
  return token;
}

/** Forget the token, after the server has said that it is not valid. */
export function dropToken(kept: TokenPlaces["kept"]): void {
  kept.removeItem(KEPT_AS);
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
