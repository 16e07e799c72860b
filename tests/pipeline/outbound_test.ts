import { assert, assertEquals, assertRejects } from "@std/assert";
import { createBus } from "../../src/bus/create_bus.ts";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { StoppedError } from "../../src/errors/lifecycle.ts";
import { BackpressureError } from "../../src/errors/sending.ts";
import type { Outgoing } from "../../src/spi/transport.ts";
import { memory } from "../../transports/memory/mod.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { Latch, trial } from "../support/trial.ts";

interface Tick {
  readonly n: number;
}
const Ticked = event<Tick>("ticked");
const Handle = command<Tick>("handle");

/** A transport that asks to wait until it is told to go on, once it has taken a batch. */
class Blocking {
  readonly batches: (readonly Outgoing[])[] = [];
  readonly transport: ScriptedTransport;
  #gate: PromiseWithResolvers<void> | undefined;

  constructor() {
    this.transport = new ScriptedTransport({
      send: (batch) => {
        this.batches.push(batch);
        for (const each of batch) each.settled();
        this.#gate = Promise.withResolvers();
        return this.#gate.promise;
      },
    });
  }

  unblock(): void {
    this.#gate?.resolve();
  }
  get sizes(): readonly number[] {
    return this.batches.map(({ length }) => length);
  }
}

trial(
  "while the transport asks to wait, so many messages wait here as were agreed; one more is refused",
  async (trial) => {
    const blocking = new Blocking();
    const bus = createBus({ name: "app", transport: blocking.transport, clock: trial.clock, sendBuffer: 100 });
    await bus.start();
    await bus.publish(Ticked, { n: 0 });
    const waiting = Array.from({ length: 100 }, (_, n) => bus.publish(Ticked, { n }));
    for (let i = 0; i < 1000; i++) {
      const error = await assertRejects(() => bus.publish(Ticked, { n: i }), BackpressureError);
      assertEquals([error.code, error.details], ["HERO_BACKPRESSURE", { address: "topic:ticked", limit: 100 }]);
    }
    await trial.settled();
    assertEquals(blocking.sizes, [1]);
    blocking.unblock();
    await Promise.all(waiting);
    assertEquals(blocking.sizes, [1, 100]);
    assertEquals(blocking.batches[1]?.map(({ frame }) => JSON.parse(text(frame.body)).n), [...Array(100).keys()]);
    blocking.unblock();
    await trial.settled();
    await bus.publish(Ticked, { n: 1 });
    assertEquals(blocking.sizes, [1, 100, 1]);
    await bus.stop({ deadline: 0 });
  },
);
function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

trial("each of 100,000 messages is either confirmed once or refused; none is lost", async (trial) => {
  const blocking = new Blocking();
  const bus = createBus({ name: "app", transport: blocking.transport, clock: trial.clock, sendBuffer: 1000 });
  await bus.start();
  await bus.publish(Ticked, { n: -1 });
  const results = Array.from({ length: 100_000 }, (_, n) => bus.publish(Ticked, { n }).then(() => true, () => false));
  blocking.unblock();
  const taken = (await Promise.all(results)).filter(Boolean).length;
  assertEquals(taken, 1000);
  assertEquals(blocking.sizes, [1, 1000]);
  await bus.stop({ deadline: 0 });
});

trial("a stop while the transport asks to wait ends at its deadline, and fails what still waits", async (trial) => {
  const blocking = new Blocking();
  const bus = createBus({ name: "app", transport: blocking.transport, clock: trial.clock });
  await bus.start();
  await bus.publish(Ticked, { n: 0 });
  const waiting = [1, 2, 3].map((n) => assertRejects(() => bus.publish(Ticked, { n }), StoppedError));
  let stopped = false;
  const stopping = bus.stop({ deadline: "5s" }).then(() => stopped = true);
  await trial.pass(4999);
  assertEquals(stopped, false);
  await trial.pass(1);
  await stopping;
  await Promise.all(waiting);
  assertEquals(blocking.sizes, [1]);
  blocking.unblock();
  await trial.settled();
  assertEquals(blocking.sizes, [1]);
});

trial("a stop flushes what the transport takes in time", async (trial) => {
  const blocking = new Blocking();
  const bus = createBus({ name: "app", transport: blocking.transport, clock: trial.clock });
  await bus.start();
  await bus.publish(Ticked, { n: 0 });
  const waiting = bus.publish(Ticked, { n: 1 });
  const stopping = bus.stop();
  await trial.pass(1000);
  blocking.unblock();
  await waiting;
  await stopping;
  assertEquals(blocking.sizes, [1, 1]);
  assertEquals(blocking.transport.asked.at(-1), "close");
});

trial("what is given to the transport and not confirmed holds the stop until the deadline", async (trial) => {
  const transport = new ScriptedTransport({ send: () => {} });
  const bus = createBus({ name: "app", transport, clock: trial.clock });
  await bus.start();
  let settled = false;
  bus.publish(Ticked, { n: 0 }).finally(() => settled = true);
  let stopped = false;
  const stopping = bus.stop({ deadline: "5s" }).then(() => stopped = true);
  await trial.pass(4999);
  assertEquals([stopped, settled], [false, false]);
  await trial.pass(1);
  await stopping;
});

trial("a full queue in memory holds senders back, refuses what is too much, and goes on", async (trial) => {
  const latch = new Latch();
  const transport = memory({ broker: trial.broker, maxQueueLength: 5 });
  const bus = trial.bus({ transport, sendBuffer: 3 });
  let handled = 0;
  bus.endpoint("orders", { concurrency: 1, prefetch: 1 }).handle(Handle, async () => {
    await latch.pass();
    handled++;
  });
  await bus.start();
  const results: string[] = [];
  for (let n = 0; n < 20; n++) {
    bus.send(Handle, { n }).then(() => results.push("taken"), (error) => results.push(error.code));
    await trial.settled();
  }
  const refused = results.filter((each) => each === "HERO_BACKPRESSURE").length;
  assert(refused > 0 && refused < 15, `${refused} were refused`);
  latch.open();
  await trial.until("all that was taken is handled", () => handled === 20 - refused);
  assertEquals(results.filter((each) => each === "taken").length, 20 - refused);
});

trial("a stop lets out what a new topic, a slow schema or middleware still holds up", async (trial) => {
  const transport = new ScriptedTransport();
  const bus = createBus({ name: "app", transport, clock: trial.clock });
  const gate = Promise.withResolvers<void>();
  bus.useSend(async (ctx, next) => {
    if (ctx.contract.name === "handle") await gate.promise;
    await next();
  });
  await bus.start();
  const sends = [bus.publish(Ticked, { n: 1 }), bus.send(Handle, { n: 2 })];
  let stopped = false;
  const stopping = bus.stop().then(() => stopped = true);
  await trial.settled();
  assertEquals([transport.sent.length, stopped], [1, false]);
  gate.resolve();
  await Promise.all(sends);
  await stopping;
  assertEquals(transport.sent.length, 2);
});

for (const immediate of [true, false]) {
  trial(
    `a transport that ${immediate ? "takes messages at once and " : ""}gives null for "go on" is not waited for`,
    async (trial) => {
      const send = (batch: readonly Outgoing[]): void => {
        for (const each of batch) each.settled();
        // What JavaScript gives where there is nothing.
        return null as unknown as void;
      };
      const transport = new ScriptedTransport({ send }, { immediate });
      const bus = createBus({ name: "app", transport, clock: trial.clock });
      await bus.start();
      await bus.publish(Ticked, { n: 1 });
      await bus.publish(Ticked, { n: 2 });
      await bus.stop();
    },
  );
}
