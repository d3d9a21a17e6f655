import { expect, test } from "vitest";
import { queryOf, readQuery, sessionOf, type Session } from "./session_url";
import { BEGIN, NO_FILTER, type Filter } from "./state/values";
import { chanceOf, pick } from "./sync/testing";
import { TOOLS } from "./tools/tool";

const BEGUN = sessionOf(BEGIN);

test("the beginning needs no query", () => {
  expect(queryOf(BEGUN)).toBe("");
  expect(readQuery("")).toEqual(BEGUN);
});

test("any session comes back from its address as it was", () => {
  const chance = chanceOf(5);
  const names = ["cup", "a&b=c", "<b>", "käse ☕", "100%", "a+b", " spaced "];
  const some = <T>(items: readonly T[]): readonly T[] => items.filter(() => chance() < 0.4);
  const number = (): number | null => pick(chance, [null, 0, 0.25, 1000]);
  for (let i = 0; i < 300; i++) {
    const filter: Filter = {
      statuses: some(["proposed", "accepted", "rejected", "merged", "split"] as const),
      labels: [...some(names), ...some([null])],
      methods: some(["sam_raw", "human_drawn"] as const),
      actors: some(names),
      tracks: [...some(names), ...some([null])],
      minScore: number(),
      maxScore: number(),
      minArea: number(),
      maxArea: number(),
      text: pick(chance, ["", ...names]),
      hasComments: pick(chance, [true, false]),
    };
    const session: Session = {
      frame: pick(chance, [null, "WyJkIiwiZSJd"]),
      selection: some(["a", "b:c", "d.e"]),
      tool: pick(chance, TOOLS),
      sort: pick(chance, ["put", "uncertain", "label"] as const),
      filter,
      people: {
        view: pick(chance, ["work", "dashboard", "disagreements"] as const),
        queue: pick(chance, [null, { name: "audit", seed: 7, after: "WzAuNSwzXQ", isBlind: false }, { name: "second_look", seed: 0, after: null, isBlind: true }] as const),
      },
    };
    const back = readQuery(queryOf(session));
    const statuses = [...filter.statuses].sort().join() === "accepted,proposed" ? NO_FILTER.statuses : filter.statuses;
    expect(back).toEqual({ ...session, filter: { ...filter, statuses } });
  }
});

test("what an address says wrongly is as at the beginning", () => {
  expect(readQuery("?tool=hammer&sort=&score_from=many&status=wrong&area_to=")).toEqual({ ...BEGUN, filter: { ...NO_FILTER, statuses: [] } });
});
