import { assertEquals, assertThrows } from "@std/assert";
import { command, ConfigurationError, event, fault } from "../../mod.ts";
import { masstransitNaming } from "../../src/masstransit/mod.ts";
import { test } from "../support/runner.ts";

const names = (policy = masstransitNaming()) =>
  ["orders.submit-order", "Contracts:SubmitOrder", "ping", "acme.sales.order_placed", "Contracts:Outer-Nested"]
    .map((name) => policy.topic?.(command(name)));

test("topics are called as MassTransit calls the exchanges of .NET types", () => {
  assertEquals(names(), [
    "Orders:SubmitOrder",
    "Contracts:SubmitOrder",
    "Ping",
    "Acme.Sales:OrderPlaced",
    "Contracts:Outer-Nested",
  ]);
  assertEquals(names(masstransitNaming({ namespace: "Contracts" })), [
    "Contracts:SubmitOrder",
    "Contracts:SubmitOrder",
    "Contracts:Ping",
    "Contracts:OrderPlaced",
    "Contracts:Outer-Nested",
  ]);
});

test("the topic of faults is that of MassTransit's generic type", () => {
  const { topic } = masstransitNaming();
  assertEquals(topic?.(fault(event("Contracts:FailOrder"))), "MassTransit:Fault--Contracts:FailOrder--");
});

test("a namespace that would be dropped in silence is refused: as a text alone, misspelt, or none", () => {
  const naming = masstransitNaming as (options: unknown) => unknown; // as from JavaScript
  assertThrows(() => naming("Contracts"), ConfigurationError, '"Contracts" as the options of masstransitNaming()');
  assertThrows(() => naming({ nameSpace: "Contracts" }), ConfigurationError, "Write { namespace }");
  for (const namespace of [5, ""]) assertThrows(() => naming({ namespace }), ConfigurationError, "namespace of .NET");
});
