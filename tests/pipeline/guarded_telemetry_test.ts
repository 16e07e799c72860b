import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { query } from "../../src/contracts/query.ts";
import { RequestFaultError } from "../../src/errors/sending.ts";
import { guardedTelemetry } from "../../src/pipeline/guarded_telemetry.ts";
import type { Span, Telemetry } from "../../src/spi/telemetry.ts";
import { test } from "../support/runner.ts";
import { trial } from "../support/trial.ts";

const Get = query<{ readonly id: string }, string>("orders.get");

/** Throws in each method, and counts how often it was called. */
function hostile(span: (() => Span) | undefined): { readonly telemetry: Telemetry; readonly calls: Set<string> } {
  const calls = new Set<string>();
  const called = (name: string): never => {
    calls.add(name);
    throw new TypeError(`telemetry ${name}`);
  };
  return {
    calls,
    telemetry: {
      send: () => {
        calls.add("send");
        return span === undefined ? called("send") : span();
      },
      receive: () => called("receive"),
      process: () => {
        calls.add("process");
        return span === undefined ? called("process") : span();
      },
      settle: () => called("settle"),
    },
  };
}
const spans: Record<string, (() => Span) | undefined> = {
  "in each method": undefined,
  "in a span's end": () => ({
    end: () => {
      throw new TypeError("end");
    },
  }),
  "in a span's run, before the handler": () => ({
    run: () => {
      throw new TypeError("run");
    },
    end: () => {},
  }),
  "in a span's run, behind the handler": () => ({
    run: (work) => {
      work();
      throw new TypeError("run");
    },
    end: () => {},
  }),
  "where its trace is read": () => ({
    get trace(): never {
      throw new TypeError("trace");
    },
    end: () => {},
  }),
};

for (const [where, span] of Object.entries(spans)) {
  trial(`telemetry that throws ${where} harms no message`, async (trial) => {
    const { telemetry, calls } = hostile(span);
    const bus = trial.bus({ telemetry });
    let handled = 0;
    bus.endpoint("orders").handle(Get, ({ id }) => {
      handled++;
      if (id === "bad") throw new RangeError("no");
      return id;
    });
    await bus.start();
    assertEquals(await bus.request(Get, { id: "42" }), "42");
    await assertRejects(() => bus.request(Get, { id: "bad" }), RequestFaultError, "RangeError");
    await trial.settled();
    assertEquals([handled, (await bus.counts("orders")).active], [2, 0]);
    // What harms nothing because it is never called would prove nothing.
    assertEquals([...calls].sort(), ["process", "receive", "send", "settle"]);
  });
}

test("what the work throws, and what it gives, passes a span that throws by", () => {
  for (const span of Object.values(spans)) {
    const guarded = guardedTelemetry(hostile(span).telemetry).process({
      bus: "b",
      endpoint: "e",
      type: "t",
      messageId: "1",
      conversationId: undefined,
      parent: undefined,
      sentAt: undefined,
    });
    if (guarded?.run === undefined) continue;
    const { run } = guarded;
    let runs = 0;
    assertEquals(run(() => ++runs), 1);
    assertThrows(
      () =>
        run(() => {
          runs++;
          throw new RangeError("work");
        }),
      RangeError,
      "work",
    );
    assertEquals(runs, 2);
  }
});

trial("every method of telemetry that throws is called by a bus, each time", async (trial) => {
  const { telemetry } = hostile(undefined);
  const counts = new Map<string, number>();
  const counting = Object.fromEntries(
    Object.entries(telemetry).map(([name, method]) => [name, (...given: never[]) => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      return (method as (...given: never[]) => unknown)(...given);
    }]),
  ) as unknown as Telemetry;
  const bus = trial.bus({ telemetry: counting });
  bus.endpoint("orders").handle(Get, ({ id }) => id);
  await bus.start();
  for (const id of ["1", "2", "3"]) assertEquals(await bus.request(Get, { id }), id);
  await trial.settled();
  // A request and its answer are two that are sent; what failed once is called again all the same.
  assertEquals(Object.fromEntries(counts), { send: 6, receive: 3, process: 3, settle: 3 });
});

for (
  const [how, run] of Object.entries<NonNullable<Span["run"]>>({
    "runs the handler twice": (work) => {
      work();
      return work();
    },
    // Not what the type says; but async tracers are easily written.
    "runs the handler a turn later": (work) => Promise.resolve().then(work) as never,
  })
) {
  trial(`telemetry whose span ${how} has it run once`, async (trial) => {
    const bus = trial.bus({
      telemetry: {
        send: () => undefined,
        receive: () => {},
        process: () => ({ run, end: () => {} }),
        settle: () => {},
      },
    });
    let handled = 0;
    bus.endpoint("orders").handle(Get, () => `handled ${++handled}`);
    await bus.start();
    assertEquals(await bus.request(Get, { id: "1" }), "handled 1");
    await trial.settled();
    assertEquals(handled, 1);
  });
}

trial(
  "telemetry that gives null, or rejects where nobody waits, harms no message and not the process",
  async (trial) => {
    const rejects = () => Promise.reject(new TypeError("async telemetry"));
    // From JavaScript telemetry may give anything.
    const spans: unknown[] = [null, 42, { end: rejects, run: rejects }, {
      get run() {
        throw new TypeError("no run");
      },
    }];
    const telemetry = { send: () => spans[at], receive: rejects, process: () => spans[at], settle: rejects };
    let at = 0;
    const bus = trial.bus({ telemetry: telemetry as unknown as Telemetry });
    bus.endpoint("orders").handle(Get, ({ id }) => id);
    await bus.start();
    for (at = 0; at < spans.length; at++) assertEquals(await bus.request(Get, { id: `${at}` }), `${at}`);
    // What rejects without a handler fails the run, a turn later.
    await new Promise((wake) => setTimeout(wake));
  },
);
