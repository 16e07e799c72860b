/** The gateway: takes webhooks in, and publishes what they say. */
import { type Bus, retry } from "@hero/messaging";
import { ReceiveWebhook } from "./contracts.ts";
import { publishAsBase, type Translations } from "./translations.ts";

/** The name of its endpoint, and of its queue. */
export const gateway = "gateway";

/** Adds the gateway to a bus. `translations` is asked for each message: a fix counts from the next one on. */
export function addGateway(bus: Bus, translations: () => Translations): void {
  bus.endpoint(gateway, {
    concurrency: 32,
    retry: retry.exponential({ limit: 3, min: "10ms", max: "100ms" }),
    outbox: "memory", // an attempt that fails publishes nothing
  }).handle(ReceiveWebhook, async ({ deliveryId, kind, payload }, ctx) => {
    const translate = translations()[kind] ?? publishAsBase;
    await translate(
      {
        deliveryId,
        kind,
        action: payload.action ?? "none",
        repository: payload.repository?.full_name ?? "none",
      },
      payload,
      ctx,
    );
  });
}

/** Looks while the gateway is paused: nothing is in flight then, and what it has given up is in the error queue. */
export async function whilePaused<Result>(bus: Bus, look: () => Promise<Result>): Promise<Result> {
  await bus.pause(gateway);
  try {
    return await look();
  } finally {
    await bus.resume(gateway);
  }
}
