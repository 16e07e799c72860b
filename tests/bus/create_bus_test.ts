/** What a bus is made of. */
import { assertThrows } from "@std/assert";
import { ConfigurationError, createBus } from "../../mod.ts";
import type { Store } from "../../src/spi/store.ts";
import type { Transport } from "../../src/spi/transport.ts";
import { memoryStore } from "../../stores/memory/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import { test } from "../support/runner.ts";

test("what is no transport or no store is refused where it is given, with what makes one", () => {
  const url = "amqp://localhost";
  for (const transport of [url, {}, memoryStore()] as unknown as Transport[]) {
    assertThrows(() => createBus({ name: "shop", transport }), ConfigurationError, `{ transport } of the bus "shop"`);
  }
  for (const store of ["orders.db", {}, memory()] as unknown as Store<undefined>[]) {
    assertThrows(() => createBus({ name: "shop", store }), ConfigurationError, `{ store } of the bus "shop"`);
  }
  createBus({ name: "shop", transport: memory(), store: memoryStore() });
});

test("what start() cannot do about queues and topics is refused where the bus is made", () => {
  for (const deploy of ["plan", "none", true] as never[]) {
    assertThrows(() => createBus({ name: "shop", deploy }), ConfigurationError, "{ deploy:");
  }
  createBus({ name: "shop", deploy: "check" });
});

test("middleware that is no function is refused where it is added to the bus", () => {
  const bus = createBus({ name: "shop" });
  for (const bad of [undefined, null, {}, "log"] as never[]) {
    assertThrows(() => bus.use(bad), ConfigurationError, "must be a function");
    assertThrows(() => bus.useSend(bad), ConfigurationError, "must be a function");
  }
});
