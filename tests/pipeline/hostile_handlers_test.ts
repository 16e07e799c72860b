import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { command, event, fault, query, RequestFaultError } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { all, Journal, Latch, trial } from "../support/trial.ts";
import { unhandledDuring } from "../support/unhandled.ts";

const Work = command<{ id: string }>("hostile.work");
const Get = query<{ id: string }, { status: string }>("hostile.get");

/** What handlers throw, and how it is called. */
const thrown: Readonly<Record<string, readonly [value: () => unknown, message: string]>> = {
  "a text": [() => "just text", `the text "just text"`],
  "undefined": [() => undefined, "undefined"],
  "null": [() => null, "null"],
  "a number": [() => 42, "42"],
  "a symbol": [() => Symbol("s"), "Symbol(s)"],
  "an object": [() => ({ code: 7 }), `"code"`],
  "an object without a prototype": [() => Object.create(null), "object"],
  "a function": [() => () => {}, "which is not an Error"],
  "an error of another realm, or a copy of one": [() => ({ name: "Error", message: "foreign" }), `"message"`],
  "an error whose message cannot be read": [
    () =>
      Object.defineProperty(new Error(), "message", {
        get: () => {
          throw new Error("no message");
        },
      }),
    "",
  ],
  "an error that is its own cause": [() => {
    const error = new Error("round");
    error.cause = error;
    return error;
  }, "round"],
  "an error with a lone surrogate": [() => new Error("half \ud800"), "half \ufffd"],
  "a promise that rejects": [() => Promise.reject(new Error("inner")), "object"],
  "an aggregate": [() => new AggregateError([new TypeError("one"), new RangeError("two")], "both"), "both"],
  "a proxy that cannot be looked at": [() => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  }, ""],
};
for (const [what, [make, message]] of Object.entries(thrown)) {
  for (const how of ["throws", "rejects with"] as const) {
    trial(`a handler that ${how} ${what} fails its message alone, and by a typed error`, async (t) => {
      const bus = t.bus();
      let faults = 0;
      let handled = 0;
      bus.endpoint("work", { retry: retry.immediate(1) }).handle(Work, ({ id }) => {
        if (id === "good") return void handled++;
        if (how === "throws") throw make();
        return Promise.reject(make());
      });
      bus.endpoint("faults").handle(fault(Work), () => void faults++);
      await bus.start();
      await bus.send(Work, { id: "bad" });
      await bus.send(Work, { id: "good" });
      await t.settled();
      const failed = await all(bus.errors("work").list());
      assertEquals(failed.length, 1);
      assertEquals(failed[0]?.attempts, 2);
      assertStringIncludes(failed[0]?.exceptions[0]?.message ?? "", message);
      assertEquals([faults, handled], [1, 1]);
      const [parked] = await t.peek("work_error");
      assertEquals(new TextDecoder().decode(parked?.frame.body), `{"id":"bad"}`);
    });
  }
}

trial("who asked is told of what is no error, too", async (t) => {
  const bus = t.bus();
  bus.endpoint("get").handle(Get, () => {
    throw "just text";
  });
  await bus.start();
  const error = await assertRejects(() => bus.request(Get, { id: "1" }), RequestFaultError);
  assertEquals(error.exceptions[0]?.type, "NonErrorThrownError");
});

trial("a handler that never settles holds its slot, and health says so", async (t) => {
  const bus = t.bus();
  let handled = 0;
  bus.endpoint("work", { concurrency: 2 }).handle(Work, ({ id }) => {
    if (id === "stuck") return new Promise<void>(() => {});
    handled++;
  });
  await bus.start();
  await bus.send(Work, { id: "stuck" });
  for (let count = 0; count < 5; count++) await bus.send(Work, { id: "good" });
  await t.settled();
  assertEquals(handled, 5);
  assertEquals((await bus.counts("work")).active, 1);
  assertEquals(bus.health().status, "healthy");
  await t.pass(60_000);
  assertEquals(bus.health().status, "degraded");
  assertStringIncludes(
    bus.health().parts.find(({ name }) => name === "work")?.reason ?? "",
    "has finished none for 60 s",
  );
});

for (const how of ["resolves", "rejects"] as const) {
  trial(`a handler that ${how} after its bus has stopped changes nothing: another has its message`, async (t) => {
    const latch = new Latch();
    const late: unknown[] = [];
    const journal = new Journal();
    const bus = t.bus();
    bus.observe(journal);
    bus.endpoint("work", { retry: retry.immediate(3) }).handle(Work, async (message, ctx) => {
      // It heeds no signal.
      await latch.pass().catch(() => {});
      late.push(await ctx.send(Work, message, { to: "queue:other" }).catch((error) => error.name));
      if (how === "rejects") throw new Error("too late");
    });
    await bus.start();
    await bus.send(Work, { id: "1" });
    await t.settled();
    const stopping = bus.stop({ deadline: "1s" });
    await t.pass(1_000);
    await stopping;
    const handled: string[] = [];
    const next = t.bus();
    next.endpoint("work").handle(Work, ({ id }) => void handled.push(id));
    const gone = await unhandledDuring(async () => {
      latch.open();
      await t.until("it has gone on", () => late.length === 1);
      await t.settled();
    });
    await next.start();
    await t.settled();
    assertEquals([late, handled, gone], [["StopDeadlineError"], ["1"], []]);
    assertEquals([journal.of("consumed"), journal.of("retried"), journal.of("faulted")], [[], [], []]);
  });
}

trial("a handler's return value is nobody's where nothing was asked, whatever it is", async (t) => {
  const bus = t.bus();
  const values: readonly unknown[] = [null, 1n, Symbol("s"), () => {}, new Map(), Promise.resolve(NaN), { then: 5 }];
  bus.endpoint("work").handle(Work, ({ id }) => values[Number(id)]);
  await bus.start();
  for (const id of values.keys()) await bus.send(Work, { id: String(id) });
  await t.settled();
  assertEquals(bus.statistics("work").consumed, values.length);
});

trial("an answer that cannot be serialized fails the request with a typed error", async (t) => {
  const bus = t.bus();
  bus.endpoint("get").handle(Get, () => ({ status: (() => {}) as unknown as string }));
  await bus.start();
  const error = await assertRejects(() => bus.request(Get, { id: "1" }), RequestFaultError);
  assertEquals(error.exceptions[0]?.type, "UnserializableError");
});

trial("what a sender does to its message once it is sent reaches nobody", async (t) => {
  const bus = t.bus();
  const seen: unknown[] = [];
  bus.endpoint("work").handle(Work, (message) => void seen.push(message.id));
  await bus.start();
  const message = { id: "1" };
  const sent = bus.send(Work, message);
  message.id = "changed";
  await sent;
  await t.settled();
  assertEquals(seen, ["1"]);
});

trial("a handler that changes its message changes neither what another endpoint gets nor what fails", async (t) => {
  const Happened = event<{ id: string }>("hostile.happened");
  const bus = t.bus();
  const seen: unknown[] = [];
  bus.endpoint("first").handle(Happened, (message) => {
    message.id = "changed";
    throw new Error("no");
  });
  bus.endpoint("second").handle(Happened, (message) => void seen.push(message.id));
  await bus.start();
  await bus.publish(Happened, { id: "1" });
  await t.settled();
  assertEquals(seen, ["1"]);
  const [parked] = await t.peek("first_error");
  assertEquals(new TextDecoder().decode(parked?.frame.body), `{"id":"1"}`);
});

/** What handlers give instead of a promise, and whether it says that they have failed. */
const thenables: Readonly<Record<string, readonly [thenable: () => unknown, fails: boolean]>> = {
  "throws from its then": [() => ({
    then() {
      throw new Error("no then");
    },
  }), true],
  "resolves, then throws": [() => ({
    then(resolve: (value: unknown) => void) {
      resolve(1);
      throw new Error("too late");
    },
  }), false],
  "settles more than once": [() => ({
    then(resolve: (value: unknown) => void, reject: (error: Error) => void) {
      reject(new Error("first"));
      reject(new Error("second"));
      resolve(1);
    },
  }), true],
};
for (const [what, [make, fails]] of Object.entries(thenables)) {
  trial(`a handler that gives a thenable that ${what} settles its message once, and harms no other`, async (t) => {
    const bus = t.bus();
    bus.endpoint("work").handle(Work, ({ id }) => id === "good" ? undefined : make());
    await bus.start();
    await bus.send(Work, { id: "bad" });
    await bus.send(Work, { id: "good" });
    await t.settled();
    const { consumed, faulted } = bus.statistics("work");
    assertEquals({ consumed, faulted }, fails ? { consumed: 1, faulted: 1 } : { consumed: 2, faulted: 0 });
    assertEquals((await all(bus.errors("work").list())).length, fails ? 1 : 0);
  });
}
