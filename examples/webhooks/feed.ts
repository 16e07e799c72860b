/** Feeds webhooks to the bus, as a web server would: one command each. */
import { type Bus, InvalidMessageError } from "@hero/messaging";
import { ReceiveWebhook } from "./contracts.ts";
import type { Ledger } from "./ledger.ts";
import type { Payload } from "./payloads.ts";

/** How many webhooks may be under way at once. */
const mostUnderWay = 64;

/** Sends each payload as a command; resolves when all that follows from them is over. */
export async function feed(
  bus: Bus,
  payloads: readonly Payload[],
  ledger: Ledger,
  signal: AbortSignal,
): Promise<void> {
  for (const { kind, body } of payloads) {
    await ledger.until(() => ledger.underWay < mostUnderWay, signal);
    const deliveryId = crypto.randomUUID(); // GitHub gives it as X-GitHub-Delivery
    ledger.arrived(deliveryId);
    // What the body is, nobody knows yet: sending it validates it against the contract's schema.
    const payload = body as ReceiveWebhook["payload"];
    await bus.send(ReceiveWebhook, { deliveryId, kind, payload }, { messageId: deliveryId });
  }
  await ledger.until(() => ledger.idle, signal);
}

/** Tries to send what is no webhook; gives what the error says is wrong with it. */
export async function refused(bus: Bus): Promise<readonly string[]> {
  const malformed = { deliveryId: "", kind: "push", payload: { repository: "octo/hello" } };
  try {
    await bus.send(ReceiveWebhook, malformed as unknown as ReceiveWebhook);
    return [];
  } catch (error) {
    if (error instanceof InvalidMessageError) return error.issues;
    throw error;
  }
}
