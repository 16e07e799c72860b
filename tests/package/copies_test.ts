import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Package from "../../mod.ts";
import * as first from "../../mod.ts";
import { turn } from "../../src/testing/turn.ts";
import { test } from "../support/runner.ts";

/** Loads the package a second time, from other files: a query behind its address would load `mod.ts` alone anew. */
async function withCopy(run: (second: typeof Package) => Promise<void>): Promise<void> {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), "copy-"));
  try {
    for (const each of ["mod.ts", "src", "transports", "stores"]) {
      cpSync(join(root, each), join(folder, each), { recursive: true });
    }
    writeFileSync(join(folder, "package.json"), `{ "type": "module" }`);
    const second: typeof Package = await import(pathToFileURL(join(folder, "mod.ts")).href);
    assert(second.createBus !== first.createBus, "it is the same copy");
    await run(second);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Order {
  readonly orderId: string;
}
const order: Order = { orderId: "42" };

/** What is caught, whichever copy threw it. */
async function settled(condition: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1000 && !condition(); turns++) await turn();
  assert(condition(), "It never came to this");
}

test("a contract, consumer, schema, retry policy and error of one copy work on a bus of another", async () => {
  await withCopy(async (second) => {
    const Base = first.event<Order>("orders.base");
    const Happened = first.event<Order>("orders.happened", { extends: Base, schema: first.type<Order>() });
    const Submit = first.command<Order, string>("orders.submit", { key: (m) => m.orderId });
    const Tenant = first.contextKey<string>("tenant");
    const attempts: number[] = [];
    const seen: unknown[] = [];
    const bus = second.createBus({ name: "app" });
    bus.use((ctx, next) => {
      ctx.set(Tenant, "acme");
      return next();
    });
    bus.endpoint("orders", {
      retry: first.retry.immediate(3, { handle: [first.BackpressureError] }),
    }).handle(Submit, async (message, ctx) => {
      attempts.push(ctx.attempt);
      // Thrown by one copy, matched by the class of the other.
      if (ctx.attempt === 1) throw new second.BackpressureError("queue:x", 1);
      if (ctx.attempt === 2) throw new first.BackpressureError("queue:x", 1);
      await ctx.publish(Happened, message);
      return `${ctx.get(Tenant)} ${message.orderId}`;
    });
    bus.endpoint("billing").handle(Base, (message, ctx) => void seen.push([message, ctx.is(Happened)]));
    bus.add(first.consumer(Happened, (message) => void seen.push(message.orderId)));
    bus.endpoint("failures").handle(first.fault(Submit), () => void seen.push("fault"));
    await bus.start();
    assertEquals(await bus.request(Submit, order), "acme 42");
    await settled(() => seen.length === 2);
    assertEquals(attempts, [1, 2, 3]);
    assertEquals(seen.filter((each) => typeof each === "string"), ["42"]);
    assertEquals(seen.filter((each) => typeof each !== "string"), [[order, true]]);
    await bus.stop();
  });
});

test("an error of one copy is an instance of the other's class, of its bases, and of no other", async () => {
  await withCopy(async (second) => {
    const error = await assertRejects(() => second.createBus({ name: "app" }).publish(first.event("a"), {}));
    assertInstanceOf(error, first.NotStartedError);
    assertInstanceOf(error, first.HeroError);
    assert(!(error instanceof first.StoppedError), "it is not a StoppedError");
    const configuration = assertThrows(() => second.event("a b"));
    assertInstanceOf(configuration, first.InvalidNameError);
    assertInstanceOf(configuration, first.ConfigurationError);
    assertEquals((configuration as { code?: string }).code, "HERO_INVALID_NAME");
  });
});

test("a filter of one copy does not match what it should not, and ignores what it should", async () => {
  await withCopy(async (second) => {
    const Submit = second.command<Order>("orders.submit");
    const attempts = new Map<string, number>();
    const bus = first.createBus({ name: "app" });
    bus.endpoint("handled", { retry: second.retry.immediate(2, { handle: [second.ConflictError] }) })
      .handle(Submit, () => {
        attempts.set("handled", (attempts.get("handled") ?? 0) + 1);
        throw new first.BackpressureError("queue:x", 1);
      });
    const Happened = second.event<Order>("orders.happened");
    bus.endpoint("ignored", { retry: first.retry.immediate(2, { ignore: [first.BackpressureError] }) })
      .handle(Happened, () => {
        attempts.set("ignored", (attempts.get("ignored") ?? 0) + 1);
        throw new RangeError("outer", { cause: new second.BackpressureError("queue:x", 1) });
      });
    await bus.start();
    await bus.send(Submit, order);
    await bus.publish(Happened, order);
    await settled(() => bus.statistics("handled").faulted + bus.statistics("ignored").faulted === 2);
    assertEquals([attempts.get("handled"), attempts.get("ignored")], [1, 1]);
    await bus.stop();
  });
});

test("buses of two copies talk over one broker: the transport of one, and the errors of both", async () => {
  await withCopy(async (second) => {
    const broker = first.memoryBroker();
    const Submit = first.command<Order, string>("orders.submit");
    const SubmitToo = second.command<Order, string>("orders.submit");
    const owner = first.createBus({ name: "owner", transport: first.memory({ broker }) });
    owner.endpoint("orders").handle(Submit, ({ orderId }) => {
      if (orderId === "bad") throw new second.InvalidDurationError("5 s");
      return orderId;
    });
    const asker = second.createBus({ name: "asker", transport: first.memory({ broker }) });
    await owner.start();
    await asker.start();
    assertEquals(await asker.request(SubmitToo, order), "42");
    const fault = await assertRejects(() => asker.request(SubmitToo, { orderId: "bad" }), second.RequestFaultError);
    assertEquals(fault.exceptions[0]?.type, "InvalidDurationError");
    // The transport is of one copy, the bus that names the contract of the other.
    const unroutable = await assertRejects(
      () => asker.send(SubmitToo, order, { to: "queue:nowhere" }),
      first.UnroutableError,
    );
    assertEquals(unroutable.details["contract"], "orders.submit");
    await asker.stop();
    await owner.stop();
  });
});

test("messages by reference pass between buses of two copies", async () => {
  await withCopy(async (second) => {
    const broker = first.memoryBroker({ byReference: true });
    const Happened = first.event<Order>("orders.happened");
    const seen: Order[] = [];
    const one = first.createBus({ name: "one", transport: first.memory({ broker }) });
    one.endpoint("billing").handle(Happened, (message) => void seen.push(message));
    const two = second.createBus({ name: "two", transport: first.memory({ broker }) });
    await one.start();
    await two.start();
    await two.publish(second.event<Order>("orders.happened"), order);
    await settled(() => one.statistics("billing").received === 1);
    assertEquals(seen, [order]);
    await two.stop();
    await one.stop();
  });
});

test("one name for contracts of two copies on one bus is refused, as it is of one", async () => {
  await withCopy(async (second) => {
    const error = assertThrows(
      () => first.createBus({ name: "app", contracts: [first.event<Order>("a"), second.event<Order>("a")] }),
      second.DuplicateContractError,
    );
    assertStringIncludes(error.message, `"a", version 1`);
    await Promise.resolve();
  });
});

test("a broker of another copy is refused with what to do, not taken for one", async () => {
  await withCopy(async (second) => {
    assertThrows(() => first.memory({ broker: second.memoryBroker() }), first.ConfigurationError, "memoryBroker()");
    await Promise.resolve();
  });
});
