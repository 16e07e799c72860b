import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { createBus } from "../../src/bus/create_bus.ts";
import { event } from "../../src/contracts/event.ts";
import { fault } from "../../src/contracts/fault.ts";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import type { Transport } from "../../src/spi/transport.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { turn } from "../../src/testing/turn.ts";
import { memory } from "../../transports/memory/mod.ts";
import { LeaseBroker } from "../support/fakes/lease_broker.ts";
import { LeaseTransport } from "../support/fakes/lease_transport.ts";
import { OffsetBroker } from "../support/fakes/offset_broker.ts";
import { OffsetTransport } from "../support/fakes/offset_transport.ts";
import { test } from "../support/runner.ts";
import { trial } from "../support/trial.ts";

interface Animal {
  readonly name: string;
}
interface Cat extends Animal {
  readonly lives: number;
}
interface Kitten extends Cat {
  readonly days: number;
}
const AnimalSeen = event<Animal>("animal-seen");
const CatSeen = event<Cat>("cat-seen", { extends: AnimalSeen });
const KittenSeen = event<Kitten>("kitten-seen", { extends: CatSeen });
const kitten: Kitten = { name: "Tom", lives: 9, days: 3 };

trial("a subscriber to a base gets what derives from it, three levels down, and not the other way", async (trial) => {
  const seen: string[] = [];
  const bus = trial.bus();
  bus.endpoint("animals").handle(AnimalSeen, ({ name }, ctx) => void seen.push(`animal ${name} ${ctx.contract.name}`));
  bus.endpoint("cats").handle(CatSeen, ({ lives }) => void seen.push(`cat ${lives}`));
  bus.endpoint("kittens").handle(KittenSeen, ({ days }) => void seen.push(`kitten ${days}`));
  await bus.start();
  await bus.publish(KittenSeen, kitten);
  await trial.settled();
  assertEquals(seen.sort(), ["animal Tom kitten-seen", "cat 9", "kitten 3"]);
  seen.length = 0;
  await bus.publish(AnimalSeen, { name: "Rex" });
  await trial.settled();
  assertEquals(seen, ["animal Rex animal-seen"]);
});

trial("publishers and subscribers need not start in any order, nor know the same contracts", async (trial) => {
  const seen: unknown[] = [];
  const publisher = trial.bus({ name: "publisher" });
  await publisher.start();
  const subscriber = trial.bus({ name: "subscriber" });
  subscriber.endpoint("animals").handle(event<Animal>("animal-seen"), (message, ctx) => {
    seen.push([message, ctx.contract.name]);
  });
  await subscriber.start();
  await publisher.publish(KittenSeen, kitten);
  await trial.settled();
  assertEquals(seen, [[kitten, "animal-seen"]]);
});

trial("a base's handler narrows by ctx.is, to any level between", async (trial) => {
  const seen: unknown[] = [];
  const bus = trial.bus({ contracts: [KittenSeen] });
  bus.endpoint("animals").handle(AnimalSeen, (_, ctx) => {
    seen.push([ctx.is(AnimalSeen), ctx.is(CatSeen) && ctx.message.lives, ctx.is(KittenSeen) && ctx.message.days]);
  });
  await bus.start();
  await bus.publish(KittenSeen, kitten);
  await bus.publish(CatSeen, { name: "Kit", lives: 7 });
  await bus.publish(AnimalSeen, { name: "Rex" });
  await trial.settled();
  assertEquals(seen, [[true, 9, 3], [true, 7, false], [true, false, false]]);
});

trial(
  "ctx.is of a contract that this bus was not told of says what to do, and of one that it is not says no",
  async (trial) => {
    const seen: unknown[] = [];
    const Dog = event<Animal>("dog-seen", { extends: AnimalSeen });
    const bus = trial.bus();
    bus.endpoint("animals").handle(AnimalSeen, (_, ctx) => {
      seen.push(ctx.is(Dog));
      try {
        seen.push(ctx.is(CatSeen));
      } catch (error) {
        seen.push(error);
      }
    });
    const publisher = trial.bus({ name: "publisher" });
    await bus.start();
    await publisher.start();
    await publisher.publish(KittenSeen, kitten);
    await trial.settled();
    const [dog, cat] = seen;
    assertEquals(dog, false);
    assertInstanceOf(cat, ConfigurationError);
    for (const part of ["cat-seen", "animal-seen", "contracts"]) assertStringIncludes(cat.message, part);
  },
);

trial("ctx.is tells versions apart", async (trial) => {
  const V1 = event<Animal>("versioned");
  const V2 = event<Cat>("versioned", { version: 2 }).upcast(V1, (old) => ({ ...old, lives: 9 }));
  const seen: unknown[] = [];
  const bus = trial.bus();
  bus.endpoint("animals").handle(V2, (_, ctx) => void seen.push([ctx.is(V2), ctx.is(V1 as never)]));
  await bus.start();
  await trial.put("topic:versioned", { body: `{"name":"Tom"}`, headers: { "hero-type": "versioned" } });
  await trial.settled();
  assertEquals(seen, [[true, false]]);
});

trial("a derived message is read by the most specific contract that the bus knows, at any version", async (trial) => {
  const NewCat = event<Cat & { readonly color: string }>("cat-seen", { version: 2, extends: AnimalSeen })
    .upcast(CatSeen, (old) => ({ ...old, color: "grey" }));
  const seen: unknown[] = [];
  const bus = trial.bus({ contracts: [NewCat] });
  bus.endpoint("animals").handle(AnimalSeen, (message) => void seen.push(message));
  await bus.start();
  await trial.put("topic:animal-seen", {
    body: JSON.stringify(kitten),
    headers: { "hero-type": "kitten-seen, cat-seen, animal-seen" },
  });
  await trial.settled();
  assertEquals(seen, [{ ...kitten, color: "grey" }]);
});

trial("a base's schema keeps the properties of what derives from it", async (trial) => {
  const Base = event("base", { schema: z.object({ name: z.string() }) });
  const Derived = event<{ name: string; more: number }>("derived", { extends: Base });
  const seen: unknown[] = [];
  const bus = trial.bus();
  bus.endpoint("animals").handle(Base, (message) => void seen.push(message)).handle(
    Derived,
    (message) => void seen.push(message),
  );
  await bus.start();
  await bus.publish(Derived, { name: "Tom", more: 1 });
  await trial.settled();
  assertEquals(seen, [{ name: "Tom", more: 1 }, { name: "Tom", more: 1 }]);
  const refused = await bus.publish(Derived, { name: 5, more: 1 } as never).catch((error) => error);
  assertStringIncludes(refused.message, "name");
});

trial("handlers of base and derived on one endpoint run once each, in order of declaration", async (trial) => {
  const seen: string[] = [];
  const bus = trial.bus();
  bus.endpoint("animals")
    .handle(CatSeen, () => void seen.push("cat"))
    .handle(AnimalSeen, () => void seen.push("animal"))
    .handle(KittenSeen, () => void seen.push("kitten"));
  await bus.start();
  await bus.publish(KittenSeen, kitten);
  await trial.settled();
  assertEquals(seen, ["cat", "animal", "kitten"]);
  assertEquals(bus.statistics("animals").received, 1);
});

const shapes: readonly [string, () => () => Transport][] = [
  ["a broker of leases, without a hierarchy", () => {
    const broker = new LeaseBroker();
    return () => new LeaseTransport(broker);
  }],
  ["a broker of offsets, without a hierarchy", () => {
    const broker = new OffsetBroker();
    return () => new OffsetTransport(broker);
  }],
];
for (const [what, make] of shapes) {
  test(`on ${what}, each endpoint gets a derived message once, by whatever paths`, async () => {
    const transport = make();
    const clock = new VirtualClock();
    const seen: string[] = [];
    const bus = createBus({ name: "app", transport: transport(), clock });
    bus.endpoint("all")
      .handle(AnimalSeen, (_, ctx) => void seen.push(`all animal ${ctx.contract.name}`))
      .handle(CatSeen, () => void seen.push("all cat"))
      .handle(KittenSeen, () => void seen.push("all kitten"));
    bus.endpoint("middle").handle(CatSeen, () => void seen.push("middle cat"));
    bus.endpoint("ends").handle(KittenSeen, () => void seen.push("ends kitten")).handle(
      AnimalSeen,
      () => void seen.push("ends animal"),
    );
    await bus.start();
    await bus.publish(KittenSeen, kitten);
    for (let i = 0; i < 10; i++) await clock.advanceTo(clock.now() + 100, turn);
    assertEquals(seen.sort(), [
      "all animal kitten-seen",
      "all cat",
      "all kitten",
      "ends animal",
      "ends kitten",
      "middle cat",
    ]);
    await bus.stop({ deadline: 0 });
  });
}

for (const [what, make] of [["memory", () => memory], ...shapes] as const) {
  test(`on ${what}, a base and what derives from it on one topic come once`, async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const bus = createBus({
      name: "app",
      transport: make()(),
      clock,
      routes: { "topic:animals": [AnimalSeen, CatSeen, KittenSeen] },
    });
    bus.endpoint("cats").handle(CatSeen, (_, ctx) => void seen.push(ctx.contract.name));
    bus.endpoint("all").handle(AnimalSeen, () => void seen.push("animal")).handle(CatSeen, () => void seen.push("cat"));
    await bus.start();
    await bus.publish(KittenSeen, kitten);
    for (let i = 0; i < 10; i++) await clock.advanceTo(clock.now() + 100, turn);
    assertEquals(seen.sort(), ["animal", "cat", "kitten-seen"]);
    assertEquals(bus.describe().topology.bindings.filter(({ from, to }) => from === to), []);
    await bus.stop({ deadline: 0 });
  });
}

trial("the fault of a derived message reaches who subscribes to the base's faults", async (trial) => {
  const seen: unknown[] = [];
  const bus = trial.bus();
  bus.endpoint("cats").handle(CatSeen, () => {
    throw new RangeError("no cats");
  });
  bus.endpoint("failures")
    .handle(fault(AnimalSeen), ({ message, exceptions: [reason] }) => void seen.push([message, reason?.message]));
  await bus.start();
  await bus.publish(KittenSeen, kitten);
  await trial.settled();
  assertEquals(seen, [[kitten, "no cats"]]);
  assert(bus.describe().contracts.some(({ name, bases }) => name === "kitten-seen" && bases[1] === "animal-seen"));
});
