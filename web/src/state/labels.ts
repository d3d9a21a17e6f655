// Labels of the store, in one order, so that digits keep theirs while people work.

import type { Client } from "../api/client";
import type { Store } from "./store";

export async function readLabels(store: Store, client: Client): Promise<void> {
  const answer = await client.call("list_labels");
  if (!answer.ok) return;
  const labels = answer.value.items.map((one) => one.name);
  store.dispatch({ type: "labels-told", labels: labels.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true })) });
}
