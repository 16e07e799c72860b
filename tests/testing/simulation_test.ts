import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { type Bus, command, ConfigurationError, event, query, type Transport } from "../../mod.ts";
import { InstanceCrashedError, simulate, SimulationError, type World } from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";
import { seeds } from "../support/share.ts";
import { ordersAreComplete, submitOrders } from "./orders_application.ts";
import { parcelsAreDone, sendParcels } from "./parcels_application.ts";
import { acknowledgedEarly, keyOvertaken, retryLost } from "./planted_bugs.ts";

const Count = command<{ id: number }>("count");
const Note = command<{ id: number }>("note");

test("simulation: with all that goes wrong, nothing is lost, overtaken, or done by the dead", async () => {
  const many = seeds(500);
  const report = await simulate({ seeds: many }, (world) => submitOrders(world), ordersAreComplete);
  assertEquals(report.seeds, many);
  assert(report.crashedSeeds >= many / 5, `Only ${report.crashedSeeds} seeds had a crash`);
  assert(report.deliveries > many * 150);
  for (const [fault, times] of Object.entries(report.faults)) assert(times > 0, `"${fault}" never happened`);
});

test("simulation: with instances that compete, batches, gates, requests and upgrades, no step is lost", async () => {
  const many = seeds(100);
  const report = await simulate({ seeds: many }, (world) => sendParcels(world), parcelsAreDone);
  assert(report.crashedSeeds >= many / 5, `Only ${report.crashedSeeds} seeds had a crash`);
});

const bugs: readonly (readonly [string, (transport: Transport) => Transport, RegExp])[] = [
  ["a message acknowledged before it was handled", acknowledgedEarly, /order \d+ was lost at/],
  ["a retry that is lost", retryLost, /order \d+ was lost at "audit"/],
  ["a key that is overtaken", keyOvertaken, /order \d+ of "\w" was overtaken by \d+ at/],
];
for (const [what, wrap, problem] of bugs) {
  test(`simulation: finds ${what} within 1,000 seeds`, async () => {
    const error = await assertRejects(
      () => simulate({ seeds: 1000 }, (world) => submitOrders(world, { wrap }), ordersAreComplete),
      SimulationError,
    );
    assertMatch(error.message, problem);
    assertStringIncludes(error.message, `simulate({ seeds: [${error.seed}], … })`);
    // The same seed alone shows the same, to the byte.
    const again = await assertRejects(
      () => simulate({ seeds: [error.seed] }, (world) => submitOrders(world, { wrap }), ordersAreComplete),
      SimulationError,
    );
    assertEquals(again.message, error.message);
  });
}

test("simulation: an instance that cannot begin anew fails its seed, and says why", async () => {
  const lives: readonly ((bus: Bus, life: number) => void)[] = [
    (_, life) => {
      if (life > 1) throw new Error("no way back");
    },
    (bus, life) => {
      if (life > 1) { for (const name of ["one", "two"]) bus.endpoint(name).handle(Note, () => {}); }
    },
  ];
  for (const [at, configure] of lives.entries()) {
    const error = await assertRejects(
      () =>
        simulate({ seeds: [1] }, async (world) => {
          await world.instance("counter", (bus, { life }) => configure(bus, life));
          await world.restart("counter");
        }, () => {}),
      SimulationError,
      'the instance "counter" could not begin its life 2: ',
    );
    assertStringIncludes(error.message, at === 0 ? "no way back" : "two owners");
  }
});

test("simulation: the same seed gives the same timeline to the byte, and another seed another", async () => {
  const timelineOf = async (seed: number) => {
    let timeline = "";
    await simulate({ seeds: [seed] }, (world) => submitOrders(world), (world) => {
      timeline = world.timeline().toString();
    });
    return timeline;
  };
  for (const seed of [1, 2, 3, 4, 5]) assertEquals(await timelineOf(seed), await timelineOf(seed));
  assert(await timelineOf(1) !== await timelineOf(2));
});

test("simulation: what a dead instance calls throws, and has no effect", async () => {
  const errors: unknown[] = [];
  const counter = async (world: World) => {
    await world.instance("counter", (bus, instance) => {
      bus.endpoint("counter").handle(Count, async ({ id }) => {
        try {
          instance.ledger<string>("counted").append(`${id}`);
        } catch (error) {
          errors.push(error);
          // Whoever goes on all the same is still dead.
          instance.ledger<string>("counted").append(`${id} by the dead`);
        }
        await instance.delay(1);
      });
    });
    for (let id = 0; id < 20; id++) await world.send(Count, { id });
  };
  const report = await simulate({ seeds: 50, faults: { crash: 0.02 } }, counter, (world) => {
    const { entries } = world.ledger<string>("counted");
    assertEquals(new Set(entries), new Set(Array.from({ length: 20 }, (_, id) => `${id}`)));
  });
  assert(report.crashedSeeds > 25);
  assert(errors.length > 0);
  for (const error of errors) assertInstanceOf(error, InstanceCrashedError);
});

for (const kind of ["handler", "batch handler"] as const) {
  test(`simulation: an instance may crash where a ${kind} reaches for its transaction`, async () => {
    let crashes = 0;
    const counter = async (world: World) => {
      await world.instance("counter", (bus, instance) => {
        const counted = instance.ledger<number>("counted");
        const endpoint = bus.endpoint("counter", { outbox: true });
        if (kind === "handler") {
          endpoint.handle(Count, ({ id }, ctx) => {
            void ctx.tx;
            counted.append(id);
          });
        } else {
          endpoint.batch(Count, { size: 2, within: 5 }, (batch, ctx) => {
            void ctx.tx;
            for (const { message } of batch) counted.append(message.id);
          });
        }
      });
      for (let id = 0; id < 20; id++) await world.send(Count, { id });
    };
    await simulate({ seeds: 50, faults: { crash: 0.005 } }, counter, (world) => {
      const { entries } = world.ledger<number>("counted");
      assertEquals(new Set(entries).size, 20);
      crashes += world.timeline().toString().split("\n").filter((line) => /crashed\s+ctx\.tx/.test(line)).length;
    });
    assert(crashes > 0, "No instance has crashed there");
  });
}

/** Where instances crashed, over all seeds, without the numbers. */
async function crashSites(scenario: (world: World) => Promise<void>, done: readonly number[]): Promise<Set<string>> {
  const sites = new Set<string>();
  await simulate({ seeds: 200, faults: { crash: 0.006 } }, scenario, (world) => {
    assertEquals(new Set(world.ledger<number>("counted").entries), new Set(done));
    for (const [, site] of world.timeline().toString().matchAll(/crashed\s+(.*)/g)) if (site) sites.add(site.trim());
  });
  return sites;
}

test("simulation: an instance may crash at each call of a batch's context, and loses no message of it", async () => {
  const Counted = event<{ id: number }>("counted");
  const Ask = query<{ id: number }, number>("ask");
  const ids = Array.from({ length: 12 }, (_, id) => id);
  const sites = await crashSites(async (world) => {
    await world.instance("counter", (bus, instance) => {
      bus.endpoint("asked").handle(Ask, ({ id }) => id);
      bus.endpoint("counter", { redeliver: [10, 20, 30, 40, 50, 60] }).batch(
        Count,
        { size: 3, within: 10 },
        async (batch, ctx) => {
          await ctx.publish(Counted, { id: batch.length });
          await ctx.send(Note, { id: batch.length });
          await ctx.request(Ask, { id: 1 });
          await ctx.schedule(Counted, { id: 1 }, { in: 1 });
          for (const item of batch) {
            if (item.attempt === 1) ctx.fail(item, new Error("once"));
            else instance.ledger<number>("counted").append(item.message.id);
          }
        },
      );
      bus.endpoint("noted").handle(Note, () => {});
    });
    for (const id of ids) await world.send(Count, { id });
  }, ids);
  const expected = ["publish", "send", "request", "schedule", "fail"].flatMap((call) => [
    `ctx.${call}`,
    `after ctx.${call}`,
  ]);
  assertEquals(
    ["batch handler", "batch handled", ...expected].filter((site) => !sites.has(site)),
    [],
    "An instance never crashed there",
  );
});

test("simulation: what a batch handler of a dead instance still does throws, and has no effect", async () => {
  const errors: unknown[] = [];
  const report = await simulate({ seeds: 50, faults: { crash: 0.02 } }, async (world) => {
    await world.instance("counter", (bus, instance) => {
      bus.endpoint("noted").handle(Note, ({ id }) => instance.ledger<number>("noted").append(id));
      bus.endpoint("counter").batch(Count, { size: 3, within: 10 }, async (batch, ctx) => {
        try {
          await ctx.send(Note, { id: 0 });
          for (const { message } of batch) instance.ledger<number>("counted").append(message.id);
        } catch (error) {
          errors.push(error);
          // Whoever goes on all the same is still dead.
          await ctx.send(Note, { id: 1 });
        }
      });
    });
    for (let id = 0; id < 12; id++) await world.send(Count, { id });
  }, (world) => {
    assertEquals(new Set(world.ledger<number>("counted").entries).size, 12);
    assertEquals(world.ledger<number>("noted").entries.includes(1), false);
  });
  assert(report.crashedSeeds > 25);
  assert(errors.length > 0);
  for (const error of errors) assertInstanceOf(error, InstanceCrashedError);
});

test("simulation: without faults nothing goes wrong", async () => {
  const report = await simulate({ seeds: 5, faults: {} }, (world) => submitOrders(world), ordersAreComplete);
  assertEquals(report.faults, { drop: 0, duplicate: 0, delay: 0, reorder: 0, crash: 0, fail: 0 });
  assertEquals(report.crashedSeeds, 0);
});

test("simulation: a handler that never ends, and a scenario that waits for ever, are named", async () => {
  const hanging = await assertRejects(
    () =>
      simulate({ seeds: [1], faults: {} }, async (world) => {
        await world.instance("counter", (bus) => {
          bus.endpoint("counter").handle(Count, () => new Promise(() => {}));
        });
        await world.send(Count, { id: 1 }, { messageId: "one" });
      }, () => {}),
    SimulationError,
  );
  assertStringIncludes(hanging.message, `it never comes to rest: "counter" sends 0 and handles 1 messages: count one`);
  const waiting = await assertRejects(
    () => simulate({ seeds: [1] }, () => new Promise(() => {}), () => {}),
    SimulationError,
  );
  assertStringIncludes(waiting.message, "the scenario waits for what never comes");
  const endless = await assertRejects(
    () =>
      simulate({ seeds: [1], timers: 100 }, async (world) => {
        for (;;) await world.delay("1s");
      }, () => {}),
    SimulationError,
  );
  assertStringIncludes(endless.message, "100 timers have fired");
});

test("simulation: what the scenario or the invariant throws is told with the seed", async () => {
  const scenario = await assertRejects(
    () => simulate({ seeds: [7] }, (world) => world.send(Count, { id: 1 }), () => {}),
    SimulationError,
  );
  assertMatch(scenario.message, /^Seed 7: the scenario failed: Cannot send "count"/);
  const invariant = await assertRejects(
    () =>
      simulate({ seeds: [7] }, () => {}, () => {
        throw new RangeError("one too many");
      }),
    SimulationError,
  );
  assertMatch(invariant.message, /the invariant does not hold: one too many/);
  assertInstanceOf(invariant.cause, RangeError);
  assertEquals([invariant.code, invariant.seed], ["HERO_SIMULATION", 7]);
});

test("simulation: a chance that is none is refused", async () => {
  for (const crash of [-0.1, 1.1, NaN]) {
    await assertRejects(() => simulate({ seeds: 1, faults: { crash } }, () => {}, () => {}), ConfigurationError);
  }
});

test("simulation: what would simulate nothing, or other faults than it says, is refused", async () => {
  const nothing: unknown[] = [{ seeds: 0 }, { seeds: NaN }, { seeds: [] }, {}];
  for (const options of nothing) {
    await assertRejects(() => simulate(options as never, () => {}, () => {}), ConfigurationError, "without seeds");
  }
  await assertRejects(() => simulate(undefined as never, () => {}, () => {}), ConfigurationError, "a simulation");
  await assertRejects(() => simulate({ seed: 1 } as never, () => {}, () => {}), ConfigurationError, "{ seeds }");
  const faults = { crsh: 1 } as never;
  await assertRejects(() => simulate({ seeds: 1, faults }, () => {}, () => {}), ConfigurationError, "{ crash }");
});
