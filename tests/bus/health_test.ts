import { assertEquals } from "@std/assert";
import { createBus, memory, type Transport } from "../../mod.ts";
import { test } from "../support/runner.ts";

const transportPart = (transport: Transport) => {
  const bus = createBus({ name: "app", transport });
  return {
    bus,
    part: () => bus.health().parts.find(({ name }) => name === "transport memory"),
  };
};

test("the health of a bus shows what its transport counts, anew each time", async () => {
  let unconfirmed = 3;
  const transport: Transport = Object.defineProperty(memory(), "counts", {
    get: () => ({ connections: 2, unconfirmed, blocked: undefined }),
  });
  const { bus, part } = transportPart(transport);
  await bus.start();

  assertEquals(part()?.counts, { connections: 2, unconfirmed: 3, blocked: undefined });
  unconfirmed = 0;
  assertEquals(part()?.counts?.["unconfirmed"], 0);
  assertEquals(part()?.status, "healthy");
  await bus.stop();
});

test("a transport that counts nothing shows no counts", async () => {
  const { bus, part } = transportPart(memory());
  await bus.start();

  assertEquals(part(), { name: "transport memory", status: "healthy" });
  await bus.stop();
});
