/** The application with which simulations are tried: two buses, three endpoints, fifty messages of five keys. */
import { command, event, retry, type Transport } from "../../mod.ts";
import type { Instance, World } from "../../src/testing/mod.ts";

interface Order {
  readonly id: number;
  readonly customer: string;
}
/** What an endpoint has done. */
interface Done extends Order {
  readonly endpoint: string;
  readonly instance: string;
  readonly life: number;
}

const key = ({ customer }: Order): string => customer;
export const Submit = command<Order>("orders.submit", { key });
export const Submitted = event<Order>("orders.submitted", { key });

const customers = ["a", "b", "c", "d", "e"];
const ordersOfEach = 10;

/** Where a bug may be planted. */
export interface Bugs {
  readonly wrap?: (transport: Transport) => Transport;
  /** Takes the place of a handler. */
  readonly handling?: (run: () => Promise<void>) => Promise<void>;
}

/** Starts the application and sends it its orders, those of one customer one after the other. */
export async function submitOrders(world: World, { wrap, handling = (run) => run() }: Bugs = {}): Promise<void> {
  const options = wrap === undefined ? {} : { wrap };
  const work = async (instance: Instance, endpoint: string, order: Order, then?: () => Promise<void>) => {
    if (instance.chance(0.1)) throw new Error(`${endpoint} is out of luck`);
    await instance.delay(1 + Math.floor(10 * (order.id % 3)));
    await then?.();
    instance.ledger<Done>("done").append({ ...order, endpoint, instance: instance.name, life: instance.life });
  };
  await world.instance("orders", (bus, instance) => {
    bus.endpoint("orders", { retry: retry.interval(3, "50ms") })
      .handle(
        Submit,
        (order, ctx) => handling(() => work(instance, "orders", order, () => ctx.publish(Submitted, order))),
      );
    bus.endpoint("audit", { redeliver: ["1s", "10s"] })
      .handle(Submitted, (order) => handling(() => work(instance, "audit", order)));
  }, options);
  await world.instance("billing", (bus, instance) => {
    bus.endpoint("billing", { retry: retry.interval(3, "50ms"), concurrency: 4 })
      .handle(Submitted, (order) => handling(() => work(instance, "billing", order)));
  }, options);
  await Promise.all(customers.map(async (customer, which) => {
    for (let at = 0; at < ordersOfEach; at++) await world.send(Submit, { id: which * ordersOfEach + at, customer });
  }));
}

/** Nothing lost, nothing overtaken, nothing done by the dead, and what is missing lies in an error queue. */
export async function ordersAreComplete(world: World): Promise<string | void> {
  const done = world.ledger<Done>("done").entries;
  const givenUp = new Map<string, Set<number>>();
  for (const endpoint of ["orders", "audit", "billing"]) {
    const errors = await world.errors(endpoint);
    givenUp.set(endpoint, new Set(errors.map(({ body }) => (JSON.parse(new TextDecoder().decode(body)) as Order).id)));
  }
  const count = customers.length * ordersOfEach;
  for (const [endpoint, ids] of givenUp) {
    const handled = new Set(done.filter((each) => each.endpoint === endpoint).map(({ id }) => id));
    for (let id = 0; id < count; id++) {
      // What the first endpoint gave up may never have been published.
      const unpublished = givenUp.get("orders")?.has(id) === true;
      if (!handled.has(id) && !ids.has(id) && !unpublished) return `order ${id} was lost at "${endpoint}"`;
    }
    for (const id of ids) if (id >= count) return `"${endpoint}" gave up an order ${id} that nobody sent`;
  }
  return overtaken(done, givenUp) ?? doneByTheDead(done);
}

/** Where nothing is redelivered, orders of one customer are first done in their order; what was given up has no place. */
function overtaken(done: readonly Done[], givenUp: ReadonlyMap<string, ReadonlySet<number>>): string | undefined {
  for (const endpoint of ["orders", "billing"]) {
    const seen = new Set<number>([...givenUp.get("orders") ?? [], ...givenUp.get(endpoint) ?? []]);
    const last = new Map<string, number>();
    for (const { id, customer } of done.filter((each) => each.endpoint === endpoint)) {
      if (seen.has(id)) continue;
      seen.add(id);
      const before = last.get(customer) ?? -1;
      if (id < before) return `order ${id} of "${customer}" was overtaken by ${before} at "${endpoint}"`;
      last.set(customer, id);
    }
  }
  return undefined;
}

/** Once another life has begun, the earlier one does nothing more. */
function doneByTheDead(done: readonly Done[]): string | undefined {
  const lives = new Map<string, number>();
  for (const { id, instance, life } of done) {
    if (life < (lives.get(instance) ?? 0)) return `order ${id} was done by "${instance}" in its life ${life}, after it`;
    lives.set(instance, life);
  }
  return undefined;
}
