/** What tests of the harness work with. */
import { type Bus, command, consumer, event, query } from "../../mod.ts";
import { createTestHarness, type HarnessOptions, type TestHarness } from "../../src/testing/mod.ts";

export const Submit = command<{ id: string }>("orders.submit");
export const Submitted = event<{ id: string }>("orders.submitted");
export const Accepted = event<{ id: string }>("orders.accepted", { extends: event<{ id: string }>("orders.event") });
export const GetOrder = query<{ id: string }, { status: string }>("orders.get");

export const submit = consumer(Submit, (order, ctx) => ctx.publish(Submitted, order));
export const accept = consumer(Submitted, (order, ctx) => ctx.publish(Accepted, order), { name: "acceptance" });

/** Disposes also where the runtime does not parse `await using`. */
export async function within<Tx>(
  starting: Promise<TestHarness<Tx>>,
  run: (harness: TestHarness<Tx>) => Promise<void>,
): Promise<void> {
  const harness = await starting;
  try {
    await run(harness);
  } finally {
    await harness[Symbol.asyncDispose]();
  }
}

export function configured(
  configure: (bus: Bus) => void,
  options: HarnessOptions = {},
): Promise<TestHarness<undefined>> {
  return createTestHarness({ ...options, configure });
}
