// Whose requests these are. A token can run out or be taken back while somebody works: then the same person signs in again,
// and the page goes on with what it has.

import type { CallerOut } from "./types";
import { createClient, type Client } from "./client";
import type { Answer, Problem } from "./problem";

export type Session = {
  readonly client: Client;
  /** Try a token. If the server knows it and it is the same person's, requests have it from now on. */
  readonly signIn: (token: string, name: string) => Promise<Answer<CallerOut> | "another">;
};

export type SessionParts = {
  readonly token: string | null;
  readonly address: string;
  readonly keep: (token: string) => void;
  /** The server does not know the token, or no longer. */
  readonly onSignedOut: (problem: Problem) => void;
  readonly fetch?: typeof fetch;
};

export function createSession({ token: first, address, keep, onSignedOut, ...rest }: SessionParts): Session {
  let token = first;
  const plain = createClient({ token: () => token, address, ...rest });
  const call = async (...asked: Parameters<Client["call"]>): Promise<Answer<unknown>> => {
    const answer = await plain.call(...asked);
    if (!answer.ok && answer.problem.kind === "signed_out") onSignedOut(answer.problem);
    return answer;
  };

  async function signIn(given: string, name: string): Promise<Answer<CallerOut> | "another"> {
    const caller = await createClient({ token: () => given, address, ...rest }).call("caller");
    if (!caller.ok) return caller;
    if (caller.value.name !== name) return "another";
    token = given;
    keep(given);
    return caller;
  }
  return { client: { call: call as Client["call"] }, signIn };
}
