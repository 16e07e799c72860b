import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { StoppedError } from "../../src/errors/lifecycle.ts";
import { never } from "../support/fakes/scripted_transport.ts";
import { test } from "../support/runner.ts";
import { Latch, trial } from "../support/trial.ts";
import { Happened, order, scripted, Submit } from "./scripted_bus.ts";

const failure = new RangeError("no such thing");

trial("a stop waits for handlers, and what they send still goes out", async (trial) => {
  const latch = new Latch();
  const bus = trial.bus();
  bus.endpoint("orders").handle(Submit, async (message, ctx) => {
    await latch.pass();
    await ctx.publish(Happened, message);
  });
  const listener = trial.bus({ name: "listener" });
  let heard = 0;
  listener.endpoint("billing").handle(Happened, () => void heard++);
  await Promise.all([bus.start(), listener.start()]);
  await bus.send(Submit, order);
  await trial.until("it is being handled", () => latch.arrived === 1);
  let stopped = false;
  const stopping = bus.stop().then(() => stopped = true);
  await trial.settled();
  assertEquals(stopped, false);
  latch.open();
  await stopping;
  await trial.settled();
  assertEquals([heard, await trial.count("orders")], [1, 0]);
});

trial("a handler that never ends is aborted at the deadline, and its message goes back", async (trial) => {
  const bus = trial.bus();
  let reason: unknown;
  bus.endpoint("orders").handle(Submit, (_, ctx) => {
    ctx.signal.addEventListener("abort", () => reason = ctx.signal.reason);
    return never();
  });
  await bus.start();
  await bus.send(Submit, order);
  await trial.settled();
  const stopping = bus.stop({ deadline: "2s" });
  await trial.pass(1999);
  assertEquals(reason, undefined);
  await trial.pass(1);
  await stopping;
  assertEquals((reason as { code?: string }).code, "HERO_STOP_DEADLINE");
  assertEquals([await trial.count("orders"), await trial.count("orders_error")], [1, 0]);
});

trial("a second stop aborts handlers at once", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(Submit, () => never());
  await bus.start();
  await bus.send(Submit, order);
  await trial.settled();
  const first = bus.stop();
  const second = bus.stop();
  await Promise.all([first, second]);
  assertEquals(await trial.count("orders"), 1);
});

trial("a handler that awaits the stop of its own bus ends no later than the deadline", async (trial) => {
  const bus = trial.bus();
  let stopped = false;
  bus.endpoint("orders").handle(Submit, async () => {
    await bus.stop({ deadline: "2s" });
    stopped = true;
  });
  await bus.start();
  await bus.send(Submit, order);
  await trial.pass(2000);
  await trial.until("the handler goes on", () => stopped);
  await assertRejects(() => bus.publish(Happened, order), StoppedError);
  assertEquals(await trial.count("orders"), 1);
});

test("a stop that goes wrong in one place still closes the rest, and says so", async () => {
  const { bus, transport } = scripted({
    stop: ({ queue }) => queue === "two" ? Promise.reject(failure) : Promise.resolve(),
  });
  await bus.start();
  const error = await bus.stop().catch((thrown) => thrown);
  assert(error === failure);
  assertEquals(transport.asked.at(-1), "close");
  await assertRejects(() => bus.publish(Happened, order), StoppedError);
});

test("an invalid deadline is refused, and the bus runs on", async () => {
  const { bus } = scripted({});
  await bus.start();
  for (const deadline of [-1, "soon", NaN]) {
    const stopping = bus.stop({ deadline: deadline as number }); // rejects, and does not throw
    assertInstanceOf(await stopping.catch((thrown) => thrown), ConfigurationError);
  }
  await bus.publish(Happened, order);
  await bus.stop();
});
