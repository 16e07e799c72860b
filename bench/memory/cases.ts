/** Publish to one consumer over the in-memory transport, in all the variations that the report asks about. @module */
import { type Bus, createBus, event, memory, query } from "../../mod.ts";
import { abreast, Consumed } from "../support/flow.ts";
import { type Case, scaled, type Work } from "../support/program.ts";
import { type Order, order, type Text, text } from "./messages.ts";

/** So many publishers, each awaiting its own: as in the C# programs. */
const PUBLISHERS = 100;
const REQUESTERS = 64;
const ROUND = 1000;
const BACKLOG = 1_000_000;

const OrderPlaced = event<Order>("bench.order-placed");
const TextSent = event<Text>("bench.text-sent");
const Echo = query<{ value: number }, { value: number }>("bench.echo");

/**
 * Publishes in rounds of {@linkcode ROUND}, each when the one before is consumed: what a backlog costs is a question of
 * its own, and one side of a comparison must not have it without the other.
 */
async function inRounds(consumed: Consumed, count: number, publish: (i: number) => Promise<void>): Promise<void> {
  const done = consumed.expect(count);
  for (let first = 0; first < count; first += ROUND) {
    const round = Math.min(ROUND, count - first);
    const end = consumed.until(count - first - round);
    await abreast(PUBLISHERS, round, (i) => publish(first + i));
    await end;
  }
  await done;
}

function busOf(byReference: boolean): Bus {
  return createBus({ name: "bench", transport: memory({ byReference }) });
}

function texts(byReference: boolean): () => Promise<Work> {
  return async () => {
    const bus = busOf(byReference);
    const consumed = new Consumed();
    bus.endpoint("texts").handle(TextSent, () => consumed.one());
    await bus.start();
    return async (count) => {
      const done = consumed.expect(count);
      await abreast(PUBLISHERS, count, () => bus.publish(TextSent, text()));
      await done;
    };
  };
}

function through(middleware: number): () => Promise<Work> {
  return async () => {
    const bus = busOf(true);
    const consumed = new Consumed();
    for (let i = 0; i < middleware; i++) bus.use((_context, next) => next());
    bus.endpoint("texts").handle(TextSent, () => consumed.one());
    await bus.start();
    return (count) => inRounds(consumed, count, () => bus.publish(TextSent, text()));
  };
}

/** Every message is the next endpoint's, each of which has a contract of its own. */
function endpoints(many: number): () => Promise<Work> {
  return async () => {
    const bus = busOf(false);
    const consumed = new Consumed();
    const contracts = Array.from({ length: many }, (_, i) => event<Text>(`bench.text-sent-${i}`));
    contracts.forEach((contract, i) => bus.endpoint(`texts-${i}`).handle(contract, () => consumed.one()));
    await bus.start();
    return (count) => inRounds(consumed, count, (i) => bus.publish(contracts[i % many] ?? TextSent, text()));
  };
}

/**
 * One object again and again, so that a queue's memory is ours alone. Both sides have had a backlog before: memory is
 * touched for the first time once in a process, which is no matter of the queue, and what a page costs then is the
 * machine's to say.
 */
function backlog(all: boolean): () => Promise<Work> {
  return async () => {
    const bus = busOf(false);
    const consumed = new Consumed();
    bus.endpoint("texts").handle(TextSent, () => consumed.one());
    await bus.start();
    const message = text();
    const run = async (count: number, all: boolean): Promise<void> => {
      const done = consumed.expect(count);
      if (all) await bus.pause("texts");
      await abreast(PUBLISHERS, count, () => bus.publish(TextSent, message));
      if (all) await bus.resume("texts");
      await done;
    };
    for (let before = 0; before < 2; before++) await run(scaled(BACKLOG), true);
    return (count) => run(count, all);
  };
}

/** By the names that `run.ts` and the report use. */
export const cases: Readonly<Record<string, Case>> = {
  "reference": { count: 1_000_000, prepare: texts(true) },
  "serialized": { count: 300_000, prepare: texts(false) },
  "middleware-0": { count: 1_000_000, prepare: through(0) },
  "middleware-5": { count: 1_000_000, prepare: through(5) },
  "orders": {
    count: 100_000,
    prepare: async () => {
      const bus = busOf(false);
      const consumed = new Consumed();
      bus.endpoint("orders").handle(OrderPlaced, () => consumed.one());
      await bus.start();
      return async (count) => {
        const done = consumed.expect(count);
        await abreast(PUBLISHERS, count, (i) => bus.publish(OrderPlaced, order(i)));
        await done;
      };
    },
  },
  // The least that any wire costs: the same orders, written and read again, no bus at all.
  "json": {
    count: 100_000,
    prepare: () => {
      const encoder = new TextEncoder();
      const decoder = new TextDecoder("utf-8", { fatal: true });
      const consumed = new Consumed();
      return Promise.resolve(async (count) => {
        const done = consumed.expect(count);
        for (let i = 0; i < count; i++) {
          const body = encoder.encode(JSON.stringify(order(i)));
          const read: Order = JSON.parse(decoder.decode(body));
          if (read.lines.length === 20) consumed.one();
        }
        await done;
      });
    },
  },
  "endpoints-1": { count: 200_000, prepare: endpoints(1) },
  "endpoints-1000": { count: 200_000, prepare: endpoints(1000) },
  "backlog-1": { count: 300_000, prepare: backlog(false) },
  "backlog-1000000": { count: BACKLOG, prepare: backlog(true) },
  "rpc": {
    count: 300_000,
    prepare: async () => {
      const bus = busOf(true);
      bus.endpoint("echoes").handle(Echo, ({ value }) => ({ value }));
      await bus.start();
      return (count) => abreast(REQUESTERS, count, (i) => bus.request(Echo, { value: i }));
    },
  },
};
