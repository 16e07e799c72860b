import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { createBus } from "../../src/bus/create_bus.ts";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { NotStartedError } from "../../src/errors/lifecycle.ts";
import { UnroutableError } from "../../src/errors/sending.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { trial } from "../support/trial.ts";

interface Tick {
  readonly n: number;
}
const Ticked = event<Tick>("ticked");
const Handle = command<Tick>("handle");

trial("a sink publishes what is written to it, one after the other", async (trial) => {
  const bus = trial.bus();
  const seen: [number, unknown][] = [];
  bus.endpoint("ticks").handle(Ticked, ({ n }, ctx) => void seen.push([n, ctx.headers["via"]]));
  await bus.start();
  await ReadableStream.from([{ n: 1 }, { n: 2 }, { n: 3 }]).pipeTo(bus.sink(Ticked, { headers: { via: "sink" } }));
  await trial.settled();
  assertEquals(seen, [[1, "sink"], [2, "sink"], [3, "sink"]]);
});

trial("a sink of a command sends it, to where its options say", async (trial) => {
  const bus = trial.bus();
  const seen: number[] = [];
  bus.endpoint("handlers", { subscribe: false }).handle(Handle, ({ n }) => void seen.push(n));
  await bus.start();
  const writer = bus.sink(Handle, { to: "queue:handlers" }).getWriter();
  await writer.write({ n: 1 });
  await writer.close();
  await trial.settled();
  assertEquals(seen, [1]);
  const nowhere = bus.sink(Handle).getWriter();
  await assertRejects(() => nowhere.write({ n: 2 }), UnroutableError);
  await assertRejects(() => nowhere.write({ n: 3 }), UnroutableError);
});

trial("a sink holds its writer back until the broker has what was written", async (trial) => {
  const taken: (() => void)[] = [];
  const transport = new ScriptedTransport({
    send: (batch) => batch.forEach((each) => taken.push(() => each.settled())),
  });
  const bus = createBus({ name: "app", transport, clock: trial.clock });
  await bus.start();
  const writer = bus.sink(Ticked).getWriter();
  const writes = [1, 2, 3].map((n) => writer.write({ n }));
  await trial.settled();
  assertEquals([transport.sent.length, writer.desiredSize], [1, -2]);
  for (let written = 1; written <= 3; written++) {
    taken[written - 1]?.();
    await writes[written - 1];
    await trial.settled();
    assertEquals(transport.sent.length, Math.min(written + 1, 3));
  }
  await writer.ready;
  await bus.stop();
});

trial("a sink before the start fails its writes, and so does one of what cannot be written", async (trial) => {
  const bus = trial.bus();
  await assertRejects(() => bus.sink(Ticked).getWriter().write({ n: 1 }), NotStartedError);
  await bus.start();
  const error = await assertRejects(() => bus.sink({} as never).getWriter().write({} as never), ConfigurationError);
  assertStringIncludes(error.message, "not a contract");
  assertInstanceOf(error, ConfigurationError);
});
