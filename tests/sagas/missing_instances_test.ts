/** Messages that come before their instance, or because it could not be made. */
import { assertEquals } from "@std/assert";
import { command, event, fault, memoryStore, query, saga, type } from "../../mod.ts";
import { createTestHarness } from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";

const Start = command<{ readonly id: string; readonly works: boolean }>("missing.start");
const Continue = event<{ readonly id: string }>("missing.continue");
const GetStatus = query<{ readonly id: string }, { readonly status: string }>("missing.get-status");

const Job = saga("job", {
  data: type<{ reason?: string }>(),
  states: ["running", "failedToStart"],
  events: (on) => ({
    start: on.start(Start, (m) => m.id, () => ({})),
    failed: on.start(fault(Start), (m) => m.message.id, () => ({})),
    next: on(Continue, (m) => m.id, { onMissing: "fault" }),
    asked: on(GetStatus, (m) => m.id, { onMissing: "redeliver" }),
  }),
}, ({ initially, duringAny, when }) => [
  initially(
    when("start").then((ctx) => {
      if (!ctx.message.works) throw new RangeError("There is no room");
    }).transitionTo("running"),
    when("failed").then((ctx) => {
      ctx.saga.reason = ctx.message.exceptions[0]?.message ?? "";
    }).transitionTo("failedToStart"),
  ),
  duringAny(when("asked").respond((ctx) => ({ status: ctx.state }))),
]);

const application = () => createTestHarness({ store: memoryStore(), consumers: [Job] });

test("a saga sees the fault of the command that should have begun it, and begins by that", async () => {
  const harness = await application();
  try {
    await harness.send(Start, { id: "1", works: false });
    await harness.settled();
    await harness.advance("1m");
    await harness.settled();
    harness.published(fault(Start)).one(({ message }) => message.id === "1");
    const job = harness.saga(Job, "1");
    assertEquals([job.exists, job.state, job.data], [true, "failedToStart", { reason: "There is no room" }]);
    assertEquals(job.history.map(({ name, transitions }) => [name, transitions]), [
      ["failed", [{ from: "initial", to: "failedToStart" }]],
    ]);
    await harness.send(Start, { id: "2", works: true });
    await harness.settled();
    assertEquals(harness.saga(Job, "2").state, "running");
    assertEquals(harness.published(fault(Start)).count, 1);
  } finally {
    await harness[Symbol.asyncDispose]();
  }
});

test("an event that begins nothing and finds no instance faults, where it is to", async () => {
  const harness = await application();
  try {
    await harness.publish(Continue, { id: "1" });
    await harness.settled();
    await harness.advance("1m");
    const { message } = harness.published(fault(Continue)).one();
    assertEquals([message.message.id, message.exceptions[0]?.type], ["1", "SagaNotFoundError"]);
    harness.saga(Job, "1").never();
  } finally {
    await harness[Symbol.asyncDispose]();
  }
});

test("a request whose instance comes later is answered by it", async () => {
  const harness = await application();
  try {
    const answers: string[] = [];
    const asked = harness.request(GetStatus, { id: "1" }, { timeout: "1m" }).then(({ status }) => answers.push(status));
    await harness.settled();
    assertEquals(answers, []);
    await harness.send(Start, { id: "1", works: true });
    await harness.settled();
    await harness.advance("2m");
    await asked;
    assertEquals(answers, ["running"]);
    harness.published(fault(GetStatus)).none();
  } finally {
    await harness[Symbol.asyncDispose]();
  }
});
