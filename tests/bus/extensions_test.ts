/** Settings of transports on contracts and in naming policies. */
import { assertEquals, assertRejects } from "@std/assert";
import { createBus, event, UnsupportedError } from "../../mod.ts";
import type { Extension } from "../../src/spi/transport.ts";
import { test } from "../support/runner.ts";

const foreign: Extension = { transport: "elsewhere", value: {} };

test("a contract's setting of another transport is refused at start", async () => {
  const Placed = event("orders.placed", { extensions: [foreign] });
  const bus = createBus({ name: "shop", contracts: [Placed] });
  await assertRejects(() => bus.start(), UnsupportedError, "elsewhere");
});

test("a naming policy's settings count on their own transport alone", async () => {
  const seen: string[] = [];
  const Placed = event("orders.placed");
  const bus = createBus({ name: "shop", naming: { extensions: [foreign] } });
  bus.endpoint("billing").handle(Placed, () => void seen.push("billing"));
  await bus.start();
  await bus.publish(Placed, {});
  await bus.stop();
  assertEquals(seen, ["billing"]);
});
