import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { query } from "../../src/contracts/query.ts";
import { InvalidMessageError, RequestFaultError } from "../../src/errors/sending.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { type Schema, type } from "../../src/values/schema.ts";
import { Latch, trial } from "../support/trial.ts";
import { type ById, byId, Charge, Find, Get, Missing, schema, Submit } from "./request_contracts.ts";

trial("a query is answered with what its handler returns, its dates among it", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(Get, ({ id }) => ({ status: `new ${id}`, at: new Date(0) }));
  await bus.start();
  assertEquals(await bus.request(Get, byId), { status: "new 42", at: new Date(0) });
});

trial("a command may be answered, too", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(Charge, ({ id }) => Promise.resolve({ receipt: `r-${id}` }));
  await bus.start();
  assertEquals(await bus.request(Charge, byId), { receipt: "r-42" });
});

trial("the request of a command without a reply resolves when it has been handled, not before", async (trial) => {
  const latch = new Latch();
  const bus = trial.bus();
  bus.endpoint("orders").handle(Submit, () => latch.pass().then(() => "nobody asked for this"));
  await bus.start();
  let done = false;
  const asking = bus.request(Submit, byId).then((reply) => {
    done = true;
    return reply;
  });
  await trial.until("it is being handled", () => latch.arrived === 1);
  await trial.settled();
  assertEquals(done, false);
  latch.open();
  assertEquals(await asking, "nobody asked for this" as unknown as undefined);
});

trial("nothing and null are told apart", async (trial) => {
  const Maybe = query<ById, string | null>("maybe");
  const Nothing = command<ById>("nothing");
  const bus = trial.bus();
  bus.endpoint("orders").handle(Maybe, () => null).handle(Nothing, () => {});
  await bus.start();
  assertEquals(await bus.request(Maybe, byId), null);
  assertEquals(await bus.request(Nothing, byId), undefined);
});

trial("of several replies, the caller is told which it is", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(
    Find,
    ({ id }) => id === "42" ? { kind: "found", message: { total: 1 } } : { kind: "missing", message: { id } },
  );
  await bus.start();
  assertEquals(await bus.request(Find, byId), { kind: "found", message: { total: 1 } });
  assertEquals(await bus.request(Find, { id: "7" }), { kind: "missing", message: { id: "7" } });
});

trial("a reply that is one of several and derives from another is told as itself", async (trial) => {
  const Any = event<{ readonly total: number }>("reply.any");
  const Special = event<{ readonly total: number }>("reply.special", { extends: Any });
  const Ask = query("ask", { schema: type<ById>(), replies: { any: Any, special: Special } });
  const bus = trial.bus();
  bus.endpoint("orders").handle(Ask, ({ id }) => ({ kind: id as "any" | "special", message: { total: 1 } }));
  await bus.start();
  assertEquals((await bus.request(Ask, { id: "special" })).kind, "special");
  assertEquals((await bus.request(Ask, { id: "any" })).kind, "any");
});

trial(
  "a reply that the owner's bus knows as more than the asker does is told as what the asker knows",
  async (trial) => {
    const Found = event<{ readonly total: number }>("reply.found");
    const Better = event<{ readonly total: number }>("reply.found-better", { extends: Found });
    const owner = trial.bus({ name: "owner" });
    const Newer = query("ask", { schema: type<ById>(), replies: { better: Better } });
    owner.endpoint("orders").handle(Newer, () => ({ kind: "better", message: { total: 2 } }));
    await owner.start();
    const asker = trial.bus({ name: "asker" });
    await asker.start();
    const Older = query("ask", { schema: type<ById>(), replies: { found: Found, missing: Missing } });
    assertEquals(await asker.request(Older, byId), { kind: "found", message: { total: 2 } });
  },
);

for (const reply of [undefined, null, {}, { kind: "fuond", message: {} }, { kind: "constructor", message: {} }, "x"]) {
  trial(`a reply that is none of the named, ${JSON.stringify(reply)}, fails its handler and is told`, async (trial) => {
    const bus = trial.bus();
    bus.endpoint("orders").handle(Find, () => reply as never);
    await bus.start();
    const error = await assertRejects(() => bus.request(Find, byId), RequestFaultError);
    assertEquals(error.exceptions[0]?.type, "InvalidMessageError");
    assertStringIncludes(error.message, "found, missing");
    await trial.settled();
    assertEquals(await trial.count("orders_error"), 1);
  });
}

trial("a reply's schema is asked on both ends", async (trial) => {
  const validated: string[] = [];
  const of = (who: string, wrong: number) =>
    query("orders.total", {
      schema: type<ById>(),
      reply: schema<{ total: number }>(({ total }) => {
        validated.push(who);
        return total === wrong ? "wrong total" : undefined;
      }),
    });
  const [Owner, Asker] = [of("owner", 1), of("asker", 2)];
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("orders").handle(Owner, ({ id }) => ({ total: Number(id) }));
  const asker = trial.bus({ name: "asker" });
  await owner.start();
  await asker.start();
  assertEquals(await asker.request(Asker, { id: "3" }), { total: 3 });
  assertEquals(validated, ["owner", "asker"]);
  const atOwner = await assertRejects(() => asker.request(Asker, { id: "1" }), RequestFaultError);
  assertStringIncludes(atOwner.message, "total: wrong total");
  const atAsker = await assertRejects(() => asker.request(Asker, { id: "2" }), InvalidMessageError);
  assertEquals(atAsker.issues, ["total: wrong total"]);
});

trial("the request's own schema is asked before it is sent", async (trial) => {
  const Checked = query<ById, string>("checked", { schema: schema<ById>(({ id }) => id === "" ? "empty" : undefined) });
  const bus = trial.bus();
  let handled = 0;
  bus.endpoint("orders").handle(Checked, () => `${++handled}`);
  await bus.start();
  await assertRejects(() => bus.request(Checked, { id: "" }), InvalidMessageError, "empty");
  await trial.settled();
  assertEquals(handled, 0);
});

trial("the output of a reply's schema is what the caller gets", async (trial) => {
  const schemaOfDate: Schema<{ at: Date }> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => Promise.resolve({ value: { at: new Date((value as { at: Date }).at.getTime() + 1) } }),
    },
  };
  const Late = query("late", { schema: type<ById>(), reply: schemaOfDate });
  const bus = trial.bus();
  bus.endpoint("orders").handle(Late, () => ({ at: new Date(5) }));
  await bus.start();
  assertEquals(await bus.request(Late, byId), { at: new Date(6) });
});

trial("ctx.respond answers while the handler goes on; what it returns later is not another answer", async (trial) => {
  const latch = new Latch();
  const bus = trial.bus();
  let sent = 0;
  bus.observe({ sent: ({ kind }) => void (sent += kind === "respond" ? 1 : 0) });
  bus.endpoint("orders").handle(Get, async (_, ctx) => {
    await ctx.respond({ status: "early" });
    await latch.pass();
    await ctx.respond({ status: "again" });
    return { status: "late" };
  });
  await bus.start();
  assertEquals(await bus.request(Get, byId), { status: "early" });
  latch.open();
  await trial.settled();
  assertEquals([sent, bus.statistics("orders").consumed], [1, 1]);
});

trial("a handler that answers and then fails is not answered for twice", async (trial) => {
  const bus = trial.bus();
  let attempts = 0;
  bus.endpoint("orders", { retry: retry.immediate(1) }).handle(Get, async (_, ctx) => {
    await ctx.respond({ status: `attempt ${++attempts}` });
    throw new RangeError("after the answer");
  });
  await bus.start();
  assertEquals(await bus.request(Get, byId), { status: "attempt 1" });
  await trial.settled();
  assertEquals([attempts, await trial.count("orders_error")], [2, 1]);
});

trial("an answer that could not be sent is sent by the next attempt, and no other after it", async (trial) => {
  const bus = trial.bus();
  const attempts: number[] = [];
  let refusals = 2;
  bus.endpoint("orders", { retry: retry.immediate(3) })
    .useSend(async (_, next) => {
      if (refusals-- > 0) throw new Error("not now");
      await next();
    })
    .handle(Get, async (_, ctx) => {
      attempts.push(ctx.attempt);
      await ctx.respond({ status: `attempt ${ctx.attempt}` });
      if (ctx.attempt === 3) throw new Error("it has answered, and fails");
      return { status: "never" };
    });
  await bus.start();
  assertEquals(await bus.request(Get, byId), { status: "attempt 3" });
  await trial.settled();
  assertEquals([attempts, refusals], [[1, 2, 3, 4], -1]);
});

trial("an outbox in memory holds the answer back until the handler has succeeded", async (trial) => {
  const bus = trial.bus();
  let attempts = 0;
  bus.endpoint("orders", { outbox: "memory", retry: retry.immediate(1) }).handle(Get, async (_, ctx) => {
    const responded = await ctx.respond({ status: `attempt ${++attempts}` });
    if (attempts === 1) throw new RangeError("after the answer");
    return responded;
  });
  await bus.start();
  assertEquals(await bus.request(Get, byId), { status: "attempt 2" });
});

trial("a message that is put off is answered when it is handled", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(Get, async (_, ctx) => {
    if (ctx.attempt === 1 && trial.clock.now() === start) await ctx.defer("5s");
    return { status: `after ${trial.clock.now() - start} ms` };
  });
  await bus.start();
  const start = trial.clock.now();
  const asking = bus.request(Get, byId);
  await trial.pass(5000);
  assertEquals(await asking, { status: "after 5000 ms" });
});

trial("a service that only knows a command as its base answers it, too", async (trial) => {
  const Base = command<ById, string>("base");
  const Derived = command<ById, string>("derived", { extends: Base });
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("orders").handle(Base, ({ id }) => `base of ${id}`);
  const asker = trial.bus({ name: "asker" });
  await owner.start();
  await asker.start();
  assertEquals(await asker.request(Derived, byId), "base of 42");
});
