/** An application that uses most of what endpoints can: two instances that compete, and all around them. */
import { command, event, HandlerTimeoutError, query, retry, type Transport } from "../../mod.ts";
import type { Instance, World } from "../../src/testing/mod.ts";

interface Parcel {
  readonly id: number;
  readonly town: string;
}
/** What was done with a parcel. */
interface Done extends Parcel {
  readonly what: string;
  readonly by: string;
}

const key = ({ town }: Parcel): string => town;
const Accept = command<Parcel>("parcels.accept", { key });
const Weigh = command<Parcel, { grams: number }>("parcels.weigh");
const GetRate = query<{ town: string }, { cents: number }>("parcels.rate");
const Price = command<Parcel>("parcels.price");
const Label = command<Parcel>("parcels.label", { key });
const Labelled = event<Parcel>("parcels.labelled");

const towns = ["north", "south", "east"];
const count = 24;

const never = (): Promise<never> => new Promise(() => {});

/** Starts the application and sends it its parcels, while its instances are upgraded. */
export async function sendParcels(world: World, wrap?: (transport: Transport) => Transport): Promise<void> {
  const options = wrap === undefined ? {} : { wrap };
  const write = (instance: Instance, what: string, { id, town }: Parcel) =>
    instance.ledger<Done>("done").append({ id, town, what, by: `${instance.name} ${instance.life}` });
  for (const name of ["depot-1", "depot-2"]) {
    await world.instance(name, (bus, instance) => {
      bus.endpoint("depot", { order: "key", retry: retry.immediate(3), concurrency: 2, prefetch: 8 })
        .handle(Accept, async (parcel, ctx) => {
          await instance.delay(parcel.id % 5);
          if (instance.chance(0.1)) throw new Error("dropped");
          await ctx.send(Label, parcel);
          await ctx.send(Price, parcel);
          await ctx.send(Weigh, parcel, { delay: "1s" });
          write(instance, "accepted", parcel);
        });
      bus.endpoint("returns", { subscribe: false }).handle(Labelled, (parcel) => {
        write(instance, "returned", parcel);
      });
      bus.endpoint("prices", { retry: retry.exponential({ limit: 4, min: "10ms", max: "1s" }), concurrency: 1 })
        .handle(Price, async (parcel, ctx) => {
          const { cents } = await ctx.request(GetRate, { town: parcel.town }, { timeout: "2s" });
          if (cents !== parcel.town.length) throw new Error(`The rate is of another town: ${cents}`);
          write(instance, "priced", parcel);
        });
    }, options);
  }
  await world.instance("office", (bus, instance) => {
    bus.endpoint("rates").handle(GetRate, async ({ town }) => {
      await instance.delay(10);
      return { cents: town.length };
    });
    bus.endpoint("scales", {
      timeout: "200ms",
      redeliver: ["1s", "5s", "5s"],
      circuitBreaker: { activeThreshold: 3, tripThreshold: 0.5, resetInterval: "1s" },
      rateLimit: { limit: 5, per: "1s" },
    }).handle(Weigh, async (parcel, ctx) => {
      if (instance.chance(0.1)) return await never();
      if (instance.chance(0.1)) await ctx.defer("1s");
      if (instance.chance(0.05)) throw new HandlerTimeoutError("the scales", 1);
      await instance.delay(5);
      write(instance, "weighed", parcel);
      return { grams: 1 };
    });
    bus.endpoint("labels", {
      outbox: "memory",
      redeliver: ["1s", "5s", "5s"],
      killSwitch: { activationThreshold: 5, restartTimeout: "3s" },
    })
      .batch(Label, { size: 4, within: "50ms", alone: true }, async (batch, ctx) => {
        if (instance.chance(0.1)) throw new Error("paper jam");
        for (const item of batch) {
          if (instance.chance(0.05)) {
            ctx.fail(item, new Error("torn"));
            continue;
          }
          await ctx.publish(Labelled, item.message);
          write(instance, "labelled", item.message);
        }
      });
    bus.endpoint("doors").handle(Labelled, async (parcel, ctx) => {
      if (parcel.id % 4 === 0) return await ctx.forward("queue:returns");
      write(instance, "delivered", parcel);
    });
  }, options);
  const sent = Promise.all(Array.from(towns, async (town, which) => {
    for (let id = which; id < count; id += towns.length) {
      await world.send(Accept, { id, town });
      await world.delay(20);
    }
  }));
  await world.delay(100);
  await world.restart("depot-1", { deadline: world.random() < 0.5 ? "10ms" : "10s" });
  await world.delay(100);
  await world.restart("office", { deadline: world.random() < 0.5 ? "10ms" : "10s" });
  await sent;
}

/** Each step of each parcel is done, or lies in the error queue of a step before it. */
export async function parcelsAreDone(world: World): Promise<string | void> {
  const done = world.ledger<Done>("done").entries;
  const reached = (what: string) => new Set(done.filter((each) => each.what === what).map(({ id }) => id));
  const givenUp = async (endpoint: string) => {
    const errors = await world.errors(endpoint);
    return new Set(errors.map(({ body }) => (JSON.parse(new TextDecoder().decode(body)) as Parcel).id));
  };
  const steps: readonly (readonly [what: string, after: string | undefined, endpoint: string])[] = [
    ["accepted", undefined, "depot"],
    ["priced", "accepted", "prices"],
    ["weighed", "accepted", "scales"],
    ["labelled", "accepted", "labels"],
  ];
  for (const [what, after, endpoint] of steps) {
    const [here, lost] = [reached(what), await givenUp(endpoint)];
    const expected = after === undefined ? new Set(Array.from({ length: count }, (_, id) => id)) : reached(after);
    for (const id of expected) {
      if (!here.has(id) && !lost.has(id)) return `parcel ${id} was ${after ?? "sent"} and never ${what}`;
    }
  }
  const doors = await givenUp("doors");
  for (const id of reached("labelled")) {
    if (reached(id % 4 === 0 ? "returned" : "delivered").has(id) || doors.has(id)) continue;
    // A batch that fails after its first items has labelled them, and tells of them only if it succeeds later.
    if (!(await givenUp("labels")).has(id)) return `parcel ${id} was labelled and never left`;
  }
  return leftTooEarly(done) ?? overtaken(done, await givenUp("depot"));
}

/** What a batch sends leaves once the batch has succeeded: also if it is tried again, never before. */
function leftTooEarly(done: readonly Done[]): string | undefined {
  const labelled = new Set<number>();
  for (const { id, what } of done) {
    if (what === "labelled") labelled.add(id);
    if ((what === "delivered" || what === "returned") && !labelled.has(id)) {
      return `parcel ${id} was ${what} before it was labelled: what a failed handler sent had left`;
    }
  }
  return undefined;
}

/** In whichever instance, parcels of one town are first accepted in their order. */
function overtaken(done: readonly Done[], givenUp: ReadonlySet<number>): string | undefined {
  const last = new Map<string, number>();
  const seen = new Set(givenUp);
  for (const { id, town, what } of done) {
    if (what !== "accepted" || seen.has(id)) continue;
    seen.add(id);
    if (id < (last.get(town) ?? -1)) return `parcel ${id} of "${town}" was overtaken by ${last.get(town)}`;
    last.set(town, id);
  }
  return undefined;
}
