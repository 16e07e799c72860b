/** The read model: counts all webhooks, whatever their kind, and answers queries. */
import type { Bus } from "@hero/messaging";
import { type Count, CountWebhooks, WebhookReceived } from "./contracts.ts";
import { once } from "./once.ts";

/** The name of the endpoint that keeps it. */
export const readModel = "read-model";

/** Adds the read model to a bus. What it knows is had by its query alone. */
export function addReadModel(bus: Bus): void {
  const kind = new Map<string, number>();
  const action = new Map<string, number>();
  const repository = new Map<string, number>();
  const counts = { kind, action, repository };
  let total = 0;

  // A subscription to the base: events derived from it come, too.
  bus.endpoint(readModel).use(once()).handle(WebhookReceived, (webhook) => {
    total++;
    countOne(kind, webhook.kind);
    countOne(action, webhook.action);
    countOne(repository, webhook.repository);
  });

  // Queries have an endpoint of their own: they need not wait behind the events.
  bus.endpoint("read-model-queries").handle(CountWebhooks, ({ by }) => ({ total, counts: mostFirst(counts[by]) }));
}

/** Adds one. */
export function countOne(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** As plain data, the largest first. */
export function mostFirst(counts: ReadonlyMap<string, number>): Count[] {
  return [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count);
}
