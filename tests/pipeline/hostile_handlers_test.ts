import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { command, fault, query, RequestFaultError } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { all, trial } from "../support/trial.ts";

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

trial("what a handler rejects with after it was given its time is nobody's, and ends no process", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Work, (_, ctx) => {
    // Not awaited, as by mistake: its failure is known to nobody else.
    ctx.send(Work, { id: "lost" }, { to: "queue:nowhere" }).catch(() => {});
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(bus.statistics("work").consumed, 1);
});

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

trial("a handler that changes its message harms no other handler or process", async (t) => {
  const bus = t.bus();
  const seen: unknown[] = [];
  bus.endpoint("work", { retry: retry.immediate(1) }).handle(Work, (message, { attempt }) => {
    seen.push(message.id);
    if (attempt === 1) throw new Error("once");
  });
  await bus.start();
  const message = { id: "1" };
  const sent = bus.send(Work, message);
  message.id = "changed";
  await sent;
  await t.settled();
  assertEquals(seen, ["1", "1"]);
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
