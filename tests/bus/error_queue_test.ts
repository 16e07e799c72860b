import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  command,
  ConfigurationError,
  consumer,
  createBus,
  query,
  RequestFaultError,
  UnknownEndpointError,
} from "../../mod.ts";
import type { Bus } from "../../mod.ts";
import { all, type Trial, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("errors.work", { key: ({ id }) => id });

/** A bus whose handler fails while `down`, and the ids of what it handled. */
async function started(t: Trial): Promise<{ readonly bus: Bus; down: boolean; readonly handled: string[] }> {
  const bus = t.bus();
  const state = { bus, down: true, handled: [] as string[] };
  bus.endpoint("work").handle(Work, ({ id }, { attempt }) => {
    if (state.down) throw new RangeError(`no ${id}`);
    state.handled.push(`${id} ${attempt}`);
  });
  await bus.start();
  return state;
}

async function sendAll(bus: Bus, ids: readonly string[]): Promise<void> {
  for (const id of ids) await bus.send(Work, { id }, { messageId: `m-${id}`, headers: { tenant: `t-${id}` } });
}

const ids = async (bus: Bus, options?: { limit?: number; after?: string }): Promise<readonly string[]> =>
  (await all(bus.errors("work").list(options))).map(({ messageId }) => messageId);

trial("who changes what is listed changes nothing in the queue", async (t) => {
  const state = await started(t);
  await sendAll(state.bus, ["1"]);
  await t.settled();
  for (const { body } of await all(state.bus.errors("work").list())) body.fill(0);
  state.down = false;
  assertEquals(await state.bus.errors("work").requeue("all"), 1);
  await t.settled();
  assertEquals(state.handled, ["1 1"]);
});

trial("a failed message lies in the error queue byte for byte, with what is known of its failure", async (t) => {
  const { bus } = await started(t);
  const body = `{ "id" : "caf\\u00e9",\n "more": [1,  2] }`;
  await t.put("queue:work", {
    body,
    key: "k",
    contentType: "application/json; charset=utf-8",
    headers: { "hero-id": "m-1", "hero-type": "errors.work", tenant: "north", "x-number": 7 },
  });
  await t.settled();
  const [frame] = await t.peek("work_error");
  assertEquals(new TextDecoder().decode(frame?.frame.body), body);
  assertEquals(frame?.key, "k");
  const headers = frame?.frame.headers ?? {};
  assertEquals(headers["tenant"], "north");
  assertEquals(headers["x-number"], 7);
  assertEquals(headers["hero-reason"], "fault");
  assertEquals(headers["hero-error-type"], "RangeError");
  assertEquals(headers["hero-error-message"], "no café");
  assertEquals(headers["hero-failed-endpoint"], "work");
  assertEquals(headers["hero-failed-attempts"], 1);
  assertEquals(headers["hero-failed-at"], new Date(t.clock.now()).toISOString());
  assertEquals(JSON.parse(String(headers["hero-failed-host"])).bus, "app");

  const [failed, ...others] = await all(bus.errors("work").list());
  assert(failed !== undefined);
  assertEquals(others.length, 0);
  assertEquals(failed.messageId, "m-1");
  assertEquals(failed.contract, { name: "errors.work", version: 1 });
  assertEquals(failed.reason, "fault");
  assertEquals(failed.failedAt.getTime(), t.clock.now());
  assertEquals(failed.attempts, 1);
  assertEquals(failed.exceptions.map(({ type, message }) => [type, message]), [["RangeError", "no café"]]);
  assert((failed.exceptions[0]?.stack ?? "").includes("error_queue_test"));
  assertEquals({ ...failed.headers }, { tenant: "north", "x-number": 7 });
  assertEquals(failed.contentType, "application/json; charset=utf-8");
  assertEquals(new TextDecoder().decode(failed.body), body);
});

trial("listing takes nothing, is oldest first, and goes on where it is told", async (t) => {
  const { bus } = await started(t);
  const names = Array.from({ length: 250 }, (_, index) => String(index));
  await sendAll(bus, names);
  await t.settled();
  const expected = names.map((id) => `m-${id}`);
  assertEquals(await ids(bus), expected);
  assertEquals(await ids(bus), expected);
  assertEquals(await ids(bus, { limit: 3 }), expected.slice(0, 3));
  assertEquals(await ids(bus, { after: "m-2", limit: 2 }), ["m-3", "m-4"]);
  assertEquals(await ids(bus, { after: "m-149" }), expected.slice(150));
  assertEquals(await ids(bus, { after: "m-249" }), []);
  assertEquals(await ids(bus, { limit: 0 }), []);
  assertEquals((await bus.counts("work")).failed, 250);
});

trial("a listing ends with its signal", async (t) => {
  const { bus } = await started(t);
  await sendAll(bus, ["1"]);
  await t.settled();
  const reason = new Error("enough");
  const error = await assertRejects(() => all(bus.errors("work").list({ signal: AbortSignal.abort(reason) })));
  assertEquals(error, reason);
});

trial("one that is put back is handled, attempts counted anew, with its id, key and headers", async (t) => {
  const bus = t.bus();
  let down = true;
  const seen: unknown[] = [];
  bus.endpoint("work", { redeliver: [0] }).handle(Work, (_, ctx) => {
    if (down) throw new Error("down");
    seen.push([ctx.messageId, ctx.attempt, { ...ctx.headers }, ctx.conversationId]);
    throw new Error("again");
  });
  await bus.start();
  await sendAll(bus, ["1", "2"]);
  await t.settled();
  down = false;
  assertEquals(await bus.errors("work").requeue(["m-2"]), 1);
  await t.settled();
  assertEquals(seen, [["m-2", 1, { tenant: "t-2" }, "m-2"], ["m-2", 2, { tenant: "t-2" }, "m-2"]]);
  assertEquals(await ids(bus), ["m-1", "m-2"]);
  assertEquals((await t.peek("work_error")).map(({ key }) => key), ["1", "2"]);
});

trial("what is put back carries nothing of its failure", async (t) => {
  const { bus } = await started(t);
  await sendAll(bus, ["1"]);
  await t.settled();
  await bus.pause("work");
  await bus.errors("work").requeue("all");
  const [waiting] = await t.peek("work");
  assertEquals(
    Object.keys(waiting?.frame.headers ?? {}).sort(),
    ["hero-id", "hero-meta", "hero-type", "tenant"],
  );
  await bus.resume("work");
});

trial("what is put back is handled though its time to live is over, also when it fails once more", async (t) => {
  const bus = t.bus();
  await bus.start();
  const handled: string[] = [];
  let down = true;
  bus.observe({ consumed: ({ messageId }) => void handled.push(messageId) });
  const Perishable = command<{ id: string }>("errors.perishable", { ttl: "1h" });
  await bus.connect(
    consumer(Perishable, () => {
      if (down) throw new RangeError("down");
    }, { name: "perishable" }),
    { expired: "error" },
  );
  await bus.send(Perishable, { id: "1" }, { messageId: "m-1" });
  await t.pass(2 * 3_600_000);
  assertEquals(await bus.errors("perishable").requeue("all"), 1);
  await t.settled();
  assertEquals((await all(bus.errors("perishable").list())).map(({ reason }) => reason), ["fault"]);
  down = false;
  assertEquals(await bus.errors("perishable").requeue("all"), 1);
  await t.settled();
  assertEquals([handled, (await bus.counts("perishable")).failed], [["m-1"], 0]);
});

trial("a request that is put back after whoever asked has left is not handled, but counted", async (t) => {
  const Ask = query<{ id: string }, string>("errors.ask");
  const bus = t.bus();
  let down = true;
  bus.endpoint("asked").handle(Ask, () => {
    if (down) throw new RangeError("down");
    return "answer";
  });
  await bus.start();
  await assertRejects(() => bus.request(Ask, { id: "1" }, { timeout: "5s" }), RequestFaultError);
  down = false;
  await t.pass(5_000);
  assertEquals(await bus.errors("asked").requeue("all"), 1);
  await t.settled();
  const { consumed, expired } = bus.statistics("asked");
  assertEquals({ consumed, expired }, { consumed: 0, expired: 1 });
});

trial("all, some by a rule, and some by id are put back, in order; the rest stays", async (t) => {
  const state = await started(t);
  const { bus } = state;
  await sendAll(bus, ["1", "2", "3", "4", "5"]);
  await t.settled();
  state.down = false;
  assertEquals(await bus.errors("work").requeue((failed) => failed.headers["tenant"] === "t-2"), 1);
  await t.settled();
  assertEquals(await bus.errors("work").requeue(["m-5", "m-3", "unknown"]), 2);
  await t.settled();
  assertEquals(state.handled, ["2 1", "3 1", "5 1"]);
  assertEquals(await ids(bus), ["m-1", "m-4"]);
  assertEquals(await bus.errors("work").requeue("all"), 2);
  await t.settled();
  assertEquals(state.handled.slice(3), ["1 1", "4 1"]);
  assertEquals(await bus.errors("work").requeue("all"), 0);
});

trial("what fails again is in the error queue again, once", async (t) => {
  const { bus } = await started(t);
  await sendAll(bus, ["1", "2"]);
  await t.settled();
  assertEquals(await bus.errors("work").requeue("all"), 2);
  await t.settled();
  assertEquals(await ids(bus), ["m-1", "m-2"]);
  assertEquals((await bus.counts("work")).failed, 2);
  assertEquals(bus.statistics("work").faulted, 4);
});

trial("what is discarded is gone, and the rest stays in its place", async (t) => {
  const { bus } = await started(t);
  await sendAll(bus, ["1", "2", "3"]);
  await t.settled();
  assertEquals(await bus.errors("work").discard(["m-2"]), 1);
  assertEquals(await ids(bus), ["m-1", "m-3"]);
  assertEquals(await bus.errors("work").discard(({ exceptions }) => exceptions[0]?.message === "no 3"), 1);
  assertEquals(await ids(bus), ["m-1"]);
  assertEquals(await bus.errors("work").discard("all"), 1);
  assertEquals(await ids(bus), []);
});

trial("a rule that throws rejects the call, and everything stays", async (t) => {
  const { bus } = await started(t);
  await sendAll(bus, ["1", "2"]);
  await t.settled();
  for (const act of ["requeue", "discard"] as const) {
    await assertRejects(
      () =>
        bus.errors("work")[act](() => {
          throw new TypeError("the rule is broken");
        }),
      TypeError,
      "the rule is broken",
    );
  }
  await t.settled();
  assertEquals(await ids(bus), ["m-1", "m-2"]);
});

trial("more than a page of failures is put back", async (t) => {
  const state = await started(t);
  await sendAll(state.bus, Array.from({ length: 350 }, (_, index) => String(index)));
  await t.settled();
  state.down = false;
  assertEquals(await state.bus.errors("work").requeue("all"), 350);
  await t.settled();
  assertEquals(state.handled.length, 350);
  assertEquals(await t.count("work_error"), 0);
});

trial("messages of foreign senders, without an id, can be told apart once they have failed", async (t) => {
  const { bus } = await started(t);
  for (const id of ["1", "2"]) await t.put("topic:errors.work", { body: `{"id":"${id}"}` });
  await t.put("queue:work", { body: "junk" });
  await t.settled();
  const found = await ids(bus);
  assertEquals(new Set(found).size, 3);
  assert(found.every((id) => id !== ""));
  assertEquals(await bus.errors("work").discard(found.slice(1, 2)), 1);
  assertEquals(await ids(bus), found.toSpliced(1, 1));
});

trial("a message that its own bus cannot name is listed without a contract", async (t) => {
  const { bus } = await started(t);
  await t.put("queue:work", { body: "junk" });
  await t.settled();
  const [failed] = await all(bus.errors("work").list());
  assertEquals([failed?.contract, failed?.reason], [undefined, "unreadable"]);
});

trial("an endpoint that the bus does not have is named in the error", async (t) => {
  const { bus } = await started(t);
  assertThrows(() => bus.errors("wrok"), UnknownEndpointError, `"wrok" on this bus, which has "`);
  const none = createBus({ name: "none" });
  assertThrows(() => none.errors("wrok"), UnknownEndpointError, "which has none. Make it with bus.endpoint() first");
});

trial("a filter that gives a promise is refused, and what it was asked about stays", async (t) => {
  const { bus } = await started(t);
  await sendAll(bus, ["1", "2"]);
  await t.settled();
  // From JavaScript: its promise, taken for true, would throw away what it means to keep.
  const keepAll = (() => Promise.resolve(false)) as unknown as () => boolean;
  const rejects = (() => Promise.reject(new Error("async filter"))) as unknown as () => boolean;
  for (const filter of [keepAll, rejects]) {
    await assertRejects(() => bus.errors("work").discard(filter), ConfigurationError, "a filter that gives a promise");
    await assertRejects(() => bus.errors("work").requeue(filter), ConfigurationError, "work_error");
  }
  assertEquals(await ids(bus), ["m-1", "m-2"]);
});

trial("what is no selection is refused, where it would choose nothing", async (t) => {
  const { bus } = await started(t);
  await sendAll(bus, ["1"]);
  await t.settled();
  for (const which of [undefined, "m-1", "ALL", 1, new Set(["m-1"])] as unknown[] as "all"[]) {
    await assertRejects(
      () => bus.errors("work").requeue(which),
      ConfigurationError,
      `Give "all", a list of message ids`,
    );
    await assertRejects(() => bus.errors("work").discard(which), ConfigurationError, "or a filter");
    await assertRejects(() => bus.parked().release(which), ConfigurationError, `Give "all" or a list of message ids`);
    await assertRejects(() => bus.parked().discard(which), ConfigurationError, `Give "all" or a list of message ids`);
  }
  assertEquals(await ids(bus), ["m-1"]);
});
