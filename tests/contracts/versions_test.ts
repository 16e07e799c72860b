import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { definitionOf } from "../../src/contracts/definition.ts";
import { event } from "../../src/contracts/event.ts";
import { command } from "../../src/contracts/command.ts";
import { reader } from "../../src/contracts/reading.ts";
import { NoUpcastError, VersionAheadError } from "../../src/errors/receiving.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { test } from "../support/runner.ts";
import { all, textOf, type Trial, trial } from "../support/trial.ts";

interface V1 {
  readonly id: string;
  readonly total: number;
}
interface V2 extends V1 {
  readonly currency: string;
}
interface V3 {
  readonly id: string;
  readonly price: { readonly amount: number; readonly currency: string };
}
const name = "orders.submitted";
const SubmittedV1 = event<V1>(name);
const SubmittedV2 = event<V2>(name, { version: 2 }).upcast(SubmittedV1, (old) => ({ ...old, currency: "EUR" }));
const SubmittedV3 = event<V3>(name, { version: 3 })
  .upcast(SubmittedV2, ({ id, total, currency }) => ({ id, price: { amount: total, currency } }));

/** Publishes with one bus what the other handles by `handled`. */
async function handled<Out>(trial: Trial, contract: ReturnType<typeof event<Out>>, publish: () => Promise<void>) {
  const seen: unknown[] = [];
  const bus = trial.bus({ name: "consumer" });
  bus.endpoint("orders", { retry: retry.immediate(3) }).handle(contract, (message) => void seen.push(message));
  await bus.start();
  await publish();
  await trial.settled();
  return { seen, errors: await all(bus.errors("orders").list()), bus };
}
async function publisher(trial: Trial) {
  const bus = trial.bus({ name: "publisher" });
  await bus.start();
  return bus;
}
const v1: V1 = { id: "1", total: 5 };

// ---- Upcasts

test("a version is read as itself, and an earlier one by upcast, step by step", () => {
  const read = (version: number) => reader(definitionOf(SubmittedV3, "it"), version);
  assertEquals(read(3), undefined);
  assertEquals(read(2)?.({ ...v1, currency: "USD" }), { id: "1", price: { amount: 5, currency: "USD" } });
  assertEquals(read(1)?.(v1), { id: "1", price: { amount: 5, currency: "EUR" } });
});

test("a direct upcast goes before a chain of them", () => {
  const Direct = SubmittedV3.upcast(
    SubmittedV1,
    ({ id, total }) => ({ id, price: { amount: total, currency: "direct" } }),
  );
  const read = (version: number) => reader(definitionOf(Direct, "it"), version);
  assertEquals(read(1)?.(v1), { id: "1", price: { amount: 5, currency: "direct" } });
  assertEquals(read(2)?.({ ...v1, currency: "USD" }), { id: "1", price: { amount: 5, currency: "USD" } });
});

test("a version in a gap of the chain is not read", async () => {
  const V5 = event<V3>(name, { version: 5 }).upcast(SubmittedV3, (old) => old);
  const read = reader(definitionOf(V5, "it"), 4);
  await assertRejects(async () => await read?.(v1), NoUpcastError);
});

test("each step's result is validated by what it becomes, and async schemas are waited for", async () => {
  const asked: string[] = [];
  const asynchronous = (which: string) =>
    z.object({ id: z.string() }).loose().refine(async () => {
      await Promise.resolve();
      return asked.push(which) > 0;
    });
  const A1 = event("a", { schema: asynchronous("1") });
  const A2 = event("a", { version: 2, schema: asynchronous("2") }).upcast(A1, (old) => old);
  const A3 = event("a", { version: 3, schema: asynchronous("3") }).upcast(A2, (old) => old);
  assertEquals(await reader(definitionOf(A3, "it"), 1)?.({ id: "x" }), { id: "x" });
  assertEquals([...new Set(asked)], ["1", "2", "3"]); // zod tries without waiting first
});

trial("a consumer of version 3 gets versions 1, 2 and 3 as 3", async (trial) => {
  const { seen, errors } = await handled(trial, SubmittedV3, async () => {
    const bus = await publisher(trial);
    await bus.publish(SubmittedV1, v1);
    await bus.publish(SubmittedV3, { id: "3", price: { amount: 1, currency: "CHF" } });
    const other = trial.bus({ name: "other" });
    await other.start();
    await other.publish(SubmittedV2, { ...v1, currency: "USD" });
  });
  assertEquals(seen, [
    { id: "1", price: { amount: 5, currency: "EUR" } },
    { id: "3", price: { amount: 1, currency: "CHF" } },
    { id: "1", price: { amount: 5, currency: "USD" } },
  ]);
  assertEquals(errors, []);
});

trial("a version without an upcast goes to the error queue, its body as it came, and is not retried", async (trial) => {
  const Alone = event<V3>(name, { version: 3 });
  const { seen, errors } = await handled(trial, Alone, async () => {
    await (await publisher(trial)).publish(SubmittedV1, v1);
  });
  assertEquals(seen, []);
  const [error] = errors;
  assertEquals([error?.exceptions[0]?.type, error?.reason, error?.attempts], ["NoUpcastError", "unreadable", 0]);
  for (const part of [name, "version 1", "version 3", ".upcast"]) {
    assertStringIncludes(error?.exceptions[0]?.message ?? "", part);
  }
  const [delivery] = await trial.peek("orders_error");
  assertEquals(delivery === undefined ? "" : textOf(delivery), JSON.stringify(v1));
});

trial("an upcast that throws fails the message as a handler does not: its input cannot be read", async (trial) => {
  let upcasts = 0;
  const Broken = event<V2>(name, { version: 2 }).upcast(SubmittedV1, () => {
    upcasts++;
    throw new RangeError("no currency");
  });
  const { seen, errors } = await handled(trial, Broken, async () => {
    await (await publisher(trial)).publish(SubmittedV1, v1);
  });
  assertEquals([seen, upcasts], [[], 1]);
  assertEquals([errors[0]?.exceptions[0]?.type, errors[0]?.exceptions[0]?.message], ["RangeError", "no currency"]);
});

// ---- Ahead

trial("a later version is read as it is where it satisfies the consumer's schema, or there is none", async (trial) => {
  const Checked = event(name, { schema: z.object({ id: z.string() }) });
  const checked = await handled(trial, Checked, async () => {
    await (await publisher(trial)).publish(SubmittedV3, { id: "3", price: { amount: 1, currency: "CHF" } });
  });
  assertEquals(checked.seen, [{ id: "3" }]);
  assertEquals(checked.errors, []);
});

trial("without a schema a later version comes as it is", async (trial) => {
  const plain = await handled(trial, event<V1>(name), async () => {
    await (await publisher(trial)).publish(SubmittedV3, { id: "3", price: { amount: 1, currency: "CHF" } });
  });
  assertEquals(plain.seen, [{ id: "3", price: { amount: 1, currency: "CHF" } }]);
});

trial(
  "a later version that does not satisfy the schema is ahead: it waits in the error queue for the deployment",
  async (trial) => {
    const Checked = event(name, { schema: z.object({ id: z.string(), total: z.number() }) });
    const { seen, errors, bus } = await handled(trial, Checked, async () => {
      await (await publisher(trial)).publish(SubmittedV3, { id: "3", price: { amount: 1, currency: "CHF" } });
    });
    assertEquals(seen, []);
    const [error] = errors;
    assertEquals([error?.exceptions[0]?.type, error?.reason, error?.contract], [
      "VersionAheadError",
      "unreadable",
      { name, version: 3 },
    ]);
    for (const part of ["version 3", "version 1", "total", "Deploy the consumer"]) {
      assertStringIncludes(error?.exceptions[0]?.message ?? "", part);
    }
    const [delivery] = await trial.peek("orders_error");
    assertEquals(delivery?.frame.headers["hero-error-type"], "VersionAheadError");
    assertEquals(new VersionAheadError(name, 3, 1, []).code, "HERO_VERSION_AHEAD");
    // The deployment: another consumer, which knows the version, and the message put back.
    await bus.stop();
    const deployed: unknown[] = [];
    const next = trial.bus({ name: "consumer" });
    next.endpoint("orders").handle(SubmittedV3, (message) => void deployed.push(message));
    await next.start();
    assertEquals(await next.errors("orders").requeue("all"), 1);
    await trial.settled();
    assertEquals(deployed, [{ id: "3", price: { amount: 1, currency: "CHF" } }]);
  },
);

// ---- Several versions on one endpoint

trial(
  "of several versions on one endpoint, each handles its own, and the next above what is between",
  async (trial) => {
    const V5 = event<V3>(name, { version: 5 }).upcast(SubmittedV3, (old) => old).upcast(
      event<V3>(name, { version: 4 }),
      (old) => old,
    );
    const seen: string[] = [];
    const bus = trial.bus();
    bus.endpoint("orders")
      .handle(SubmittedV1, () => void seen.push("1"))
      .handle(SubmittedV3, () => void seen.push("3"))
      .handle(V5, () => void seen.push("5"));
    await bus.start();
    for (const version of [1, 2, 3, 4, 5, 6]) {
      await trial.put(`topic:${name}`, {
        body: JSON.stringify({ ...v1, currency: "EUR", price: {} }),
        headers: { "hero-type": version === 1 ? name : `${name};v=${version}` },
      });
      await trial.settled();
      seen.push("|");
    }
    assertEquals(seen.join(""), "1|3|3|5|5|5|");
  },
);

trial("a command's later version keeps its one owner", async (trial) => {
  const Old = command<V1>("orders.submit");
  const New = command<V2>("orders.submit", { version: 2 }).upcast(Old, (old) => ({ ...old, currency: "EUR" }));
  const seen: unknown[] = [];
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("orders").handle(New, (message) => void seen.push(message));
  const sender = trial.bus({ name: "sender" });
  await owner.start();
  await sender.start();
  await sender.send(Old, v1);
  await sender.request(New, { ...v1, currency: "USD" });
  assertEquals(seen, [{ ...v1, currency: "EUR" }, { ...v1, currency: "USD" }]);
});
