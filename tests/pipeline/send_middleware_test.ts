import { assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import { command, event, fault, InvalidHeaderError, InvalidMessageError, query } from "../../mod.ts";
import type { SendMiddleware } from "../../mod.ts";
import { trial } from "../support/trial.ts";

const Work = command<{ id: string }>("send-middleware.work");
const Done = event<{ id: string }>("send-middleware.done", { key: ({ id }) => id });
const Get = query<{ id: string }, { status: string }>("send-middleware.get");

trial("around what a handler sends the bus' middleware runs outside the endpoint's", async (t) => {
  const bus = t.bus();
  const lines: string[] = [];
  const named = (name: string): SendMiddleware => async (context, next) => {
    lines.push(`> ${name} ${context.kind}`);
    await next();
    lines.push(`< ${name} ${context.kind}`);
  };
  bus.useSend(named("bus"));
  bus.endpoint("work").useSend(named("own")).handle(Work, ({ id }, ctx) => ctx.publish(Done, { id }));
  bus.endpoint("done").useSend(named("other")).handle(Done, () => {});
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(lines.filter((line) => line.endsWith("publish")), [
    "> bus publish",
    "> own publish",
    "< own publish",
    "< bus publish",
  ]);
  assertEquals(lines.filter((line) => line.endsWith("send")), ["> bus send", "< bus send"]);
});

trial(
  "it sees the headers that flow on, what was given over them, and the message that was being handled",
  async (t) => {
    const bus = t.bus();
    const seen: unknown[] = [];
    const arrived: unknown[] = [];
    bus.endpoint("work")
      .useSend((context, next) => {
        seen.push([{ ...context.headers }, context.cause?.messageId, context.to, context.contract.name]);
        context.setHeader("added", true);
        context.setHeader("tenant", "west");
        return next();
      })
      .handle(Work, ({ id }, ctx) => ctx.publish(Done, { id }, { headers: { own: 1, tenant: "south" } }));
    bus.endpoint("done").handle(Done, (_, { headers }) => void arrived.push({ ...headers }));
    await bus.start();
    await bus.send(Work, { id: "1" }, { messageId: "m-1", headers: { tenant: "north", flows: "on" } });
    await t.settled();
    assertEquals(seen, [[
      { tenant: "south", flows: "on", own: 1 },
      "m-1",
      "topic:send-middleware.done",
      "send-middleware.done",
    ]]);
    assertEquals(arrived, [{ tenant: "west", flows: "on", own: 1, added: true }]);
  },
);

trial("it may put another message in the place of what is sent: that one is keyed and delivered", async (t) => {
  const bus = t.bus();
  bus.useSend((context, next) => {
    if (context.kind === "publish") context.message = { id: "replaced" };
    return next();
  });
  bus.endpoint("done").handle(Done, () => {
    throw new Error("see the frame");
  });
  await bus.start();
  await bus.publish(Done, { id: "given" });
  await t.settled();
  const [parked] = await t.peek("done_error");
  assertEquals(parked?.key, "replaced");
  assertEquals(new TextDecoder().decode(parked?.frame.body), `{"id":"replaced"}`);
});

trial("what it throws rejects the sender's call, and nothing is sent", async (t) => {
  const bus = t.bus();
  let done = 0;
  bus.useSend((context, next) => context.kind === "publish" ? Promise.reject(new RangeError("no")) : next());
  bus.endpoint("done").handle(Done, () => void done++);
  await bus.start();
  await assertRejects(() => bus.publish(Done, { id: "1" }), RangeError, "no");
  await t.settled();
  assertEquals(done, 0);
});

trial("without next() nothing is sent, and the call resolves", async (t) => {
  const bus = t.bus();
  let done = 0;
  bus.useSend(() => Promise.resolve());
  bus.endpoint("done").handle(Done, () => void done++);
  await bus.start();
  await bus.publish(Done, { id: "1" });
  await t.settled();
  assertEquals(done, 0);
});

trial("a header that it sets is checked", async (t) => {
  const bus = t.bus();
  bus.useSend((context, next) => {
    context.setHeader("hero-id", "x");
    return next();
  });
  await bus.start();
  await assertRejects(() => bus.publish(Done, { id: "1" }), InvalidHeaderError);
});

trial("what it puts in the message's place is validated", async (t) => {
  const bus = t.bus();
  const Checked = event("send-middleware.checked", { schema: z.object({ id: z.string() }) });
  let checked = 0;
  bus.useSend((context, next) => {
    context.message = { id: 5 };
    return next();
  });
  bus.endpoint("checked").handle(Checked, () => void checked++);
  await bus.start();
  await assertRejects(() => bus.publish(Checked, { id: "1" }), InvalidMessageError, "id");
  await t.settled();
  assertEquals(checked, 0);
});

trial("answers and faults pass it, too", async (t) => {
  const bus = t.bus();
  const kinds: string[] = [];
  bus.useSend((context, next) => {
    kinds.push(`${context.kind} ${context.contract.name}`);
    return next();
  });
  bus.endpoint("get").handle(Get, () => ({ status: "new" }));
  bus.endpoint("work").handle(Work, () => {
    throw new Error("down");
  });
  bus.endpoint("faults").handle(fault(Work), () => {});
  await bus.start();
  assertEquals(await bus.request(Get, { id: "1" }), { status: "new" });
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(kinds, [
    "request send-middleware.get",
    "respond send-middleware.get",
    "send send-middleware.work",
    "fault fault:send-middleware.work",
  ]);
});

trial("a fault that cannot be told does not keep its message from the error queue, which says why", async (t) => {
  const bus = t.bus();
  bus.useSend((context, next) => context.kind === "fault" ? Promise.reject(new RangeError("mute")) : next());
  bus.endpoint("work").handle(Work, () => {
    throw new Error("down");
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  const [parked] = await t.peek("work_error");
  assertEquals(parked?.frame.headers["hero-fault-not-told"], "mute");
  assertEquals(parked?.frame.headers["hero-error-message"], "down");
});
