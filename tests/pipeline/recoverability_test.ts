import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { command, ConfigurationError, fault } from "../../mod.ts";
import type { Bus, Recoverability } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { all, Journal, type Trial, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("recoverability.work");

async function started(
  t: Trial,
  rule: Recoverability,
): Promise<{ readonly bus: Bus; readonly attempts: number[]; readonly faults: string[]; readonly journal: Journal }> {
  const bus = t.bus();
  const attempts: number[] = [];
  const faults: string[] = [];
  const journal = new Journal();
  bus.observe(journal);
  bus.endpoint("work", { recoverability: rule }).handle(Work, (_, { attempt }) => {
    attempts.push(attempt);
    throw new RangeError(`failure ${attempt}`);
  });
  bus.endpoint("faults").handle(fault(Work), ({ exceptions }) => void faults.push(exceptions[0]?.message ?? ""));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  return { bus, attempts, faults, journal };
}

trial(`"retry" runs the handler again at once, and the rule sees each error and attempt`, async (t) => {
  const asked: unknown[] = [];
  const { bus, attempts } = await started(t, (error, attempt) => {
    asked.push([error.message, attempt]);
    return attempt < 3 ? "retry" : "error";
  });
  assertEquals(attempts, [1, 2, 3]);
  assertEquals(asked, [["failure 1", 1], ["failure 2", 2], ["failure 3", 3]]);
  assertEquals(bus.statistics("work").retried, 2);
  assertEquals((await bus.counts("work")).failed, 1);
});

trial(`"error" gives the message up: a fault, and the error queue`, async (t) => {
  const { bus, attempts, faults } = await started(t, () => "error");
  assertEquals(attempts, [1]);
  assertEquals(faults, ["failure 1"]);
  assertEquals((await bus.counts("work")).failed, 1);
  assertEquals(bus.statistics("work").faulted, 1);
});

trial(`"discard" takes the message from the queue: counted, no fault, no error queue`, async (t) => {
  const { bus, faults, journal } = await started(t, () => "discard");
  assertEquals(faults, []);
  assertEquals(await bus.counts("work"), { waiting: 0, active: 0, delayed: 0, failed: 0, skipped: 0 });
  const { discarded, faulted, consumed } = bus.statistics("work");
  assertEquals({ discarded, faulted, consumed }, { discarded: 1, faulted: 0, consumed: 0 });
  assertEquals(journal.of("retried"), ["retried recoverability.work 1 failure 1 discard"]);
  assertEquals(journal.of("consumed"), []);
});

trial("{ delay } redelivers, and attempts count on", async (t) => {
  const { bus, attempts } = await started(
    t,
    (_, attempt) => attempt < 3 ? "retry" : attempt < 5 ? { delay: "1m" } : "error",
  );
  assertEquals(attempts, [1, 2, 3]);
  assertEquals((await bus.counts("work")).delayed, 1);
  await t.pass(60_000);
  assertEquals(attempts, [1, 2, 3, 4]);
  await t.pass(60_000);
  assertEquals(attempts, [1, 2, 3, 4, 5]);
  assertEquals(bus.statistics("work").redelivered, 2);
  assertEquals((await all(bus.errors("work").list()))[0]?.attempts, 5);
});

trial("a rule is asked what a handler's own invalid message deserves, but not about input", async (t) => {
  const asked: string[] = [];
  const bus = t.bus();
  bus.endpoint("work", {
    recoverability: (error) => {
      asked.push(error.name);
      return "discard";
    },
  }).handle(Work, () => {
    throw new RangeError("mine");
  });
  await bus.start();
  await t.put("queue:work", { body: "]", headers: { "hero-id": "x", "hero-type": "recoverability.work" } });
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(asked, ["RangeError"]);
  assertEquals((await bus.counts("work")).failed, 1);
});

const broken: Readonly<Record<string, () => unknown>> = {
  "that throws": () => {
    throw new TypeError("the rule is broken");
  },
  "that says what is none of the answers": () => "later",
  "that says nothing": () => undefined,
  "that says null": () => null,
  "with a delay that is none": () => ({ delay: "5 s" }),
  "that is async, and rejects": () => Promise.reject(new TypeError("the rule is broken")),
};
for (const [which, rule] of Object.entries(broken)) {
  trial(`a rule ${which} gives the message up: the handler's error first, the rule's beside it`, async (t) => {
    const { bus, faults, attempts } = await started(t, rule as Recoverability);
    assertEquals(attempts, [1]);
    assertEquals(faults, ["failure 1"]);
    const [failed] = await all(bus.errors("work").list());
    assertEquals(failed?.exceptions.map(({ type }) => type)[0], "RangeError");
    assertEquals(failed?.exceptions.length, 2);
    await bus.send(Work, { id: "2" });
    await t.settled();
    assertEquals(bus.statistics("work").faulted, 2);
  });
}

trial("a rule beside retry or redeliver is refused at start", async (t) => {
  for (const options of [{ retry: retry.immediate(1) }, { redeliver: ["1m" as const] }]) {
    const bus = t.bus();
    bus.endpoint("work", { ...options, recoverability: () => "error" }).handle(Work, () => {});
    const error = await assertRejects(() => bus.start(), ConfigurationError);
    assertStringIncludes(error.message, "recoverability");
  }
});
