import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { InvalidMessageError } from "../../src/errors/sending.ts";
import { retry } from "../../src/pipeline/retry.ts";
import type { Schema } from "../../src/values/schema.ts";
import { all, textOf, trial } from "../support/trial.ts";

const Ship = command("orders.ship", {
  schema: z.object({ orderId: z.string().min(1), at: z.coerce.date<string>(), count: z.number().default(1) }),
});

trial("the wire carries the schema's input, and handlers get its output", async (trial) => {
  const seen: unknown[] = [];
  const bus = trial.bus();
  bus.endpoint("orders").handle(Ship, (message) => void seen.push(message));
  await bus.start();
  await bus.pause("orders");
  await bus.send(Ship, { orderId: "1", at: "2026-01-01" });
  const [delivery] = await trial.peek("orders");
  assertEquals(delivery === undefined ? "" : textOf(delivery), `{"orderId":"1","at":"2026-01-01"}`);
  await bus.resume("orders");
  await trial.settled();
  assertEquals(seen, [{ orderId: "1", at: new Date("2026-01-01"), count: 1 }]);
});

trial("what does not satisfy the schema is not sent, and every issue is named", async (trial) => {
  const bus = trial.bus();
  let handled = 0;
  bus.endpoint("orders").handle(Ship, () => void handled++);
  await bus.start();
  const error = await assertRejects(
    () => bus.send(Ship, { orderId: "", at: "never", count: "many" } as never),
    InvalidMessageError,
  );
  assertEquals([error.code, error.doing, error.issues.length], ["HERO_INVALID_MESSAGE", "send", 3]);
  for (const path of ["orderId", "at", "count"]) {
    assert(error.issues.some((issue) => issue.startsWith(`${path}: `)), `no issue of ${path}`);
    assertStringIncludes(error.message, path);
  }
  assertStringIncludes(error.message, "orders.ship");
  await trial.settled();
  assertEquals(handled, 0);
});

trial(
  "what comes and does not satisfy it goes to the error queue at once, with every issue, its body as it came",
  async (trial) => {
    const bus = trial.bus();
    let handled = 0;
    bus.endpoint("orders", { retry: retry.immediate(5), redeliver: ["1m"] }).handle(Ship, () => void handled++);
    await bus.start();
    const body = `{"orderId":"","at":"never", "count":[1]}`;
    await trial.put("topic:orders.ship", { body, headers: { "hero-type": "orders.ship" } });
    await trial.settled();
    const [failed] = await all(bus.errors("orders").list());
    assertEquals([failed?.reason, failed?.attempts, failed?.exceptions[0]?.type], [
      "unreadable",
      0,
      "InvalidMessageError",
    ]);
    for (const path of ["orderId: ", "at: ", "count: "]) {
      assertStringIncludes(failed?.exceptions[0]?.message ?? "", path);
    }
    assertEquals(new TextDecoder().decode(failed?.body), body);
    assertEquals([handled, trial.clock.pending], [0, 0]);
    await bus.send(Ship, { orderId: "1", at: "2026-01-01" });
    await trial.settled();
    assertEquals(handled, 1);
  },
);

trial("asynchronous schemas are waited for, on both ends, and order is kept", async (trial) => {
  const slow = z.object({ n: z.number() }).refine(async ({ n }) => {
    for (let i = 0; i < 10 - n; i++) await Promise.resolve();
    return n !== 3;
  }, { message: "three", path: ["n"] });
  const Tick = event("tick", { schema: slow, key: () => "k" });
  const seen: number[] = [];
  const bus = trial.bus();
  bus.endpoint("ticks").handle(Tick, ({ n }) => void seen.push(n));
  await bus.start();
  for (const n of [1, 2, 4, 5]) await bus.publish(Tick, { n });
  const error = await assertRejects(() => bus.publish(Tick, { n: 3 }), InvalidMessageError);
  await trial.settled();
  assertEquals(error.issues, ["n: three"]);
  assertEquals(seen, [1, 2, 4, 5]);
});

trial("a schema made by hand is enough: a function, paths of keys or of objects, no path", async (trial) => {
  const standard: Schema<{ readonly a: number }>["~standard"] = {
    version: 1,
    vendor: "by-hand",
    validate: () => ({
      issues: [{ message: "one", path: ["lines", 2, { key: "price" }] }, { message: "two" }, {
        message: "three",
        path: [],
      }],
    }),
  };
  const ByHand = event("by-hand", { schema: Object.assign(() => {}, { "~standard": standard }) });
  const bus = trial.bus();
  await bus.start();
  const error = await assertRejects(() => bus.publish(ByHand, { a: 1 }), InvalidMessageError);
  assertEquals(error.issues, ["lines.2.price: one", "two", "three"]);
});

trial("a schema that throws fails its message and no other", async (trial) => {
  let throws = false;
  const Fragile = event("fragile", {
    schema: {
      "~standard": {
        version: 1,
        vendor: "by-hand",
        validate: (value): { value: { n: number } } => {
          if (throws) throw new RangeError("schema bug");
          return { value: value as { n: number } };
        },
      },
    } as Schema<{ n: number }>,
  });
  const seen: number[] = [];
  const bus = trial.bus();
  bus.endpoint("fragile").handle(Fragile, ({ n }) => void seen.push(n));
  await bus.start();
  throws = true;
  await assertRejects(() => bus.publish(Fragile, { n: 1 }), RangeError, "schema bug");
  await trial.put("topic:fragile", { body: `{"n":2}`, headers: { "hero-type": "fragile" } });
  await trial.settled();
  throws = false;
  await bus.publish(Fragile, { n: 3 });
  await trial.settled();
  assertEquals(seen, [3]);
  const [failed] = await all(bus.errors("fragile").list());
  assertEquals(failed?.exceptions[0]?.message, "schema bug");
});

trial("`__proto__` in a payload changes no prototype, whether there is a schema or not", async (trial) => {
  const Plain = event<{ readonly a?: number }>("plain");
  const Loose = event("loose", { schema: z.object({}).loose() });
  const seen: object[] = [];
  const bus = trial.bus();
  bus.endpoint("both").handle(Plain, (message) => void seen.push(message)).handle(
    Loose,
    (message) => void seen.push(message),
  );
  await bus.start();
  for (const name of ["plain", "loose"]) {
    await trial.put(`topic:${name}`, { body: `{"__proto__":{"admin":true}}`, headers: { "hero-type": name } });
  }
  await trial.settled();
  assertEquals(seen.length + (await trial.count("both_error")), 2);
  for (const message of [...seen, {}]) assertEquals((message as { admin?: unknown }).admin, undefined);
});
