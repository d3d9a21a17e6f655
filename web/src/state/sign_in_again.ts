// Somebody whose token has run out shows another, and goes on where he was: nothing is loaded anew, and what waits is sent.

import type { Session } from "../api/session";
import { tokenOf } from "../api/sign_in";
import { text } from "../text";
import type { Review } from "./review";

/** `another`: the token is somebody else's, under whose name nobody else's work is sent. */
export type SignedIn = { readonly kind: "done" | "another" } | { readonly kind: "refused"; readonly message: string };
export type SignIn = (pasted: string) => Promise<SignedIn>;

export function createSignIn(review: Pick<Review, "store" | "wake">, session: Session, name: string): SignIn {
  return async (pasted) => {
    const token = tokenOf(pasted);
    if (token === null) return { kind: "refused", message: text.signIn.ask };
    const answer = await session.signIn(token, name);
    if (answer === "another") return { kind: "another" };
    if (!answer.ok) {
      const message = answer.problem.kind === "signed_out" ? text.signIn.wrong : text.problem(answer.problem);
      return { kind: "refused", message };
    }
    const { store } = review;
    store.dispatch({ type: "caller-told", caller: answer.value, models: store.get().models });
    store.dispatch({ type: "link-changed", link: { state: "online", problem: null, retryAt: null } });
    review.wake();
    return { kind: "done" };
  };
}
