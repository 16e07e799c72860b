import { assertEquals, assertStrictEquals } from "@std/assert";
import { contextKey } from "../../mod.ts";
import type { MessageContext } from "../../src/pipeline/context.ts";
import { StepContext } from "../../src/sagas/step_context.ts";
import { test } from "../support/runner.ts";
import { blank } from "./fake_effects.ts";
import { Noted, Ship } from "./orders.ts";

/** A context whose properties are themselves told apart, and that notes what is called. */
function messageContext() {
  const called: unknown[] = [];
  const note = (name: string) => (...args: readonly unknown[]) => {
    called.push([name, ...args]);
    return Promise.resolve(name);
  };
  const values = new Map<unknown, unknown>();
  const context = {
    "~unit": { of: "the store" },
    endpoint: "sagas",
    signal: new AbortController().signal,
    messageId: "m",
    correlationId: "c",
    conversationId: "v",
    initiatorId: "i",
    headers: { tenant: "a" },
    sentAt: new Date(1),
    expiresAt: new Date(2),
    sourceAddress: "queue:orders",
    attempt: 3,
    get: (key: unknown) => values.get(key),
    set: (key: unknown, value: unknown) => void values.set(key, value),
    publish: note("publish"),
    send: note("send"),
    schedule: note("schedule"),
    unschedule: note("unschedule"),
  };
  // All that a step may read is there.
  return { context: context as unknown as MessageContext, called };
}

test("what a step gets is the message's context, and the instance beside it", async () => {
  const { context, called } = messageContext();
  const instance = blank("1", { total: 5 });
  const step = new StepContext("orders", instance, context, { text: "a" }, "noted");
  const names = [
    "~unit",
    "endpoint",
    "signal",
    "messageId",
    "correlationId",
    "conversationId",
    "initiatorId",
    "headers",
    "sentAt",
    "expiresAt",
    "sourceAddress",
    "attempt",
  ] as const;
  for (const name of names) assertStrictEquals(step[name], context[name], name);
  assertEquals([step.id, step.state, step.message, step.error], ["1", "initial", { text: "a" }, undefined]);
  assertStrictEquals(step.saga, instance.data);
  instance.state = "paid";
  assertEquals(step.state, "paid");

  const Tenant = contextKey<string>("tenant");
  step.set(Tenant, "a");
  assertEquals(step.get(Tenant), "a");
  await step.publish(Noted, { text: "b" }, { priority: 1 });
  await step.send(Ship, { id: "1" });
  await step.schedule(Ship, { id: "2" }, { in: "1h" });
  await step.unschedule({ id: "t" });
  assertEquals(called, [
    ["publish", Noted, { text: "b" }, { priority: 1 }],
    ["send", Ship, { id: "1" }, undefined],
    ["schedule", Ship, { id: "2" }, { in: "1h" }, undefined],
    ["unschedule", { id: "t" }],
  ]);
});

test("what was caught is there in the steps of a catch alone", () => {
  const { context } = messageContext();
  const step = new StepContext("orders", blank("1", {}), context, "m", "noted");
  const error = new RangeError("no");
  const caught = StepContext.caught(step, error);
  assertStrictEquals(caught.error, error);
  assertEquals([step.error, caught.message, StepContext.asker(caught)], [undefined, "m", "noted"]);
});
