/** What a receiver asks of its database, and when. @module */
import { assertEquals } from "@std/assert";
import { macrotask } from "../../../src/runtime/macrotask.ts";
import type { Delivery } from "../../../src/spi/transport.ts";
import { Names } from "../../../stores/postgres/names.ts";
import type { Found, Held } from "../../../transports/postgres/message.ts";
import { type Claimed, Messages, type Renewal } from "../../../transports/postgres/messages.ts";
import { PostgresReceiver } from "../../../transports/postgres/receiver.ts";
import type { Services } from "../../../transports/postgres/services.ts";
import { Entities } from "../../../transports/postgres/topology.ts";
import { frame } from "../../conformance/transport/trial.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { test } from "../../support/runner.ts";

const names = new Names("public", "hero_");

/** Lets all happen that waits for no timer. */
function rest(): Promise<void> {
  return new Promise((resolve) => macrotask(() => macrotask(() => macrotask(resolve))));
}

function found(...places: readonly number[]): readonly Found[] {
  return places.map((place) => {
    const delivery: Delivery = { frame: frame(String(place)), key: undefined, via: "queue:q", deliveryCount: 1 };
    return { place, rank: 0, deliveries: 1, keeps: false, expired: false, delivery };
  });
}

/** Answers when it is told to. */
class Told extends Messages {
  /** What was asked, in order. */
  readonly asked: string[] = [];
  readonly #claims: PromiseWithResolvers<Claimed>[] = [];
  readonly #releases: (() => void)[] = [];
  readonly #renewals: PromiseWithResolvers<Renewal>[] = [];

  override claim(...[, , limit, , accepted]: Parameters<Messages["claim"]>): Promise<Claimed> {
    this.asked.push(`claim ${limit}${accepted.map(({ place }) => ` accept ${place}`).join("")}`);
    const claim = Promise.withResolvers<Claimed>();
    this.#claims.push(claim);
    return claim.promise.then((claimed) => ({ ...claimed, accepted: new Set(accepted.map(({ place }) => place)) }));
  }
  override accept(...[, held]: Parameters<Messages["accept"]>): Promise<ReadonlySet<number>> {
    this.asked.push(`accept ${placesOf(held)}`);
    return Promise.resolve(new Set(held.map(({ place }) => place)));
  }
  override release(...[, held, counted]: Parameters<Messages["release"]>): Promise<void> {
    this.asked.push(`release ${placesOf(held)}${counted ? " counted" : ""}`);
    return new Promise((resolve) => void this.#releases.push(resolve));
  }

  override renew(...[, held]: Parameters<Messages["renew"]>): Promise<Renewal> {
    this.asked.push(`renew ${placesOf(held)}`);
    const renewal = Promise.withResolvers<Renewal>();
    this.#renewals.push(renewal);
    return renewal.promise;
  }

  /** The claim under way has found these. */
  async claimed(...places: readonly number[]): Promise<void> {
    this.#claims.shift()?.resolve({ found: found(...places), accepted: new Set(), dueInMs: Infinity });
    await rest();
  }
  async refused(): Promise<void> {
    this.#claims.shift()?.reject(new Error("It is not there"));
    await rest();
  }
  /** The renewal under way is answered: these leases have ended; or it has failed. */
  async renewed(gone: readonly Held[] | Error = []): Promise<void> {
    const renewal = this.#renewals.shift();
    if (gone instanceof Error) renewal?.reject(gone);
    else renewal?.resolve({ gone: new Set(gone), locked: new Set() });
    await rest();
  }
  async givenBack(): Promise<void> {
    this.#releases.shift()?.();
    await rest();
  }
}

function placesOf(held: readonly Held[]): string {
  return held.map(({ place }) => place).join(" ");
}

/** A receiver without a database, whose clock stands. */
class Bench {
  readonly clock = new FakeClock();
  readonly messages = new Told(names);
  readonly receiver: PostgresReceiver;
  readonly #received: Delivery[] = [];

  constructor(source: { readonly credit: number; readonly concurrency?: number }) {
    const unasked = (): Promise<never> => Promise.reject(new Error("Nobody asks this here"));
    const services: Services = {
      database: {
        query: unasked,
        write: (statements) => {
          this.messages.asked.push(`write ${statements.length}`);
          return Promise.resolve([]);
        },
        connect: unasked,
        watch: (answer) => answer,
        clock: this.clock,
        end: new AbortController().signal,
        where: "nowhere",
      },
      entities: new Entities(names),
      messages: this.messages,
      receivers: [],
      giving: new Set(),
      silent: new Set(),
      leaseMs: 30_000,
      pollMs: 60_000,
      announce: () => {},
      failed: () => {},
      worked: () => {},
      pause: () => new Promise(() => {}),
    };
    const sink = {
      deliver: (batch: readonly Delivery[]) => void this.#received.push(...batch),
      lost() {},
      readdressed() {},
    };
    const queue = { id: 1, name: "q", ordered: false, lifetime: "durable" } as const;
    this.receiver = new PostgresReceiver(services, queue, { holdMs: 60_000, topics: [], ...source }, sink, new Set());
  }

  /** Places, in the order in which they came. */
  get came(): string {
    return this.#received.map(({ frame: { body } }) => new TextDecoder().decode(body)).join(" ");
  }
  get asked(): readonly string[] {
    return this.messages.asked;
  }

  /** Begins, and finds these. */
  async start(...places: readonly number[]): Promise<void> {
    this.receiver.start();
    await rest();
    await this.messages.claimed(...places);
  }
  /** Something may be there. */
  async wake(): Promise<void> {
    this.receiver.wake();
    await rest();
  }
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await rest();
  }
  handed(...places: readonly number[]): void {
    this.receiver.handed(found(...places), this.clock.now() + 30_000);
  }
  async accept(...places: readonly number[]): Promise<void> {
    void this.settle(places);
    await rest();
  }
  settle(places: readonly number[], outcome: "accept" | "release" = "accept"): Promise<void> {
    const all = this.#received.filter(({ frame: { body } }) => places.includes(Number(new TextDecoder().decode(body))));
    return this.receiver.settle(all.map((delivery) => ({ delivery, outcome })));
  }
}

test("what is handed over while a claim is under way comes in the order in which it was sent", async () => {
  const bench = new Bench({ credit: 8 });
  await bench.start();
  assertEquals(bench.receiver.hungry, 8);
  await bench.wake();
  assertEquals([bench.asked.at(-1), bench.receiver.hungry], ["claim 4", 4]); // half of the room is for what is handed over
  bench.handed(5, 8);
  assertEquals([bench.came, bench.receiver.hungry], ["", 2]);
  await bench.messages.claimed(3, 6);
  assertEquals(bench.came, "3 5 6 8");
  assertEquals(bench.receiver.hungry, 4);
});

test("where more waits than was claimed, what was handed over goes back, and is claimed in its turn", async () => {
  const bench = new Bench({ credit: 4 });
  await bench.start();
  await bench.wake();
  bench.handed(2, 9);
  await bench.messages.claimed(1, 3);
  assertEquals([bench.came, bench.receiver.hungry], ["1 2 3", 0]);
  assertEquals(bench.asked.slice(2), ["release 9"]); // and no claim before that, which could pass it
  await bench.messages.givenBack();
  assertEquals(bench.asked.slice(2), ["release 9", "claim 1"]);
});

test("nothing is handed over while a claim is under way that may find as much as there is room for", async () => {
  const bench = new Bench({ credit: 4 });
  await bench.start(1, 2, 3);
  await bench.accept(1, 2, 3);
  await bench.wake();
  await bench.pass(5);
  assertEquals([bench.asked.at(-1), bench.receiver.hungry], ["claim 4 accept 1 accept 2 accept 3", 0]);
});

test("what was handed over during a claim that failed is not lost with it", async () => {
  const bench = new Bench({ credit: 4 });
  await bench.start();
  await bench.wake();
  bench.handed(7);
  await bench.messages.refused();
  assertEquals(bench.came, "7");
});

test("what was handed over during a claim goes back where the receiver has been stopped", async () => {
  const bench = new Bench({ credit: 4 });
  await bench.start();
  await bench.wake();
  bench.handed(7);
  const stopped = bench.receiver.stop();
  await bench.messages.claimed();
  await stopped;
  assertEquals([bench.came, bench.asked.at(-1)], ["", "release 7"]);
});

test("what is accepted waits some milliseconds for more that is, unless it is much or the receiver stops", async () => {
  const bench = new Bench({ credit: 200 });
  await bench.start(...Array.from({ length: 100 }, (_, at) => at));
  await bench.accept(0);
  await bench.accept(1);
  assertEquals(bench.asked.slice(1), []);
  await bench.pass(5);
  assertEquals(bench.asked.slice(1), ["accept 0 1"]);
  const many = Array.from({ length: 64 }, (_, at) => at + 2);
  await bench.accept(...many);
  assertEquals(bench.asked.slice(2), [`accept ${many.join(" ")}`]);
  await bench.accept(70);
  const flushed = bench.receiver.flush();
  await rest();
  assertEquals(bench.asked.slice(3), ["accept 70"]);
  await flushed;
  await bench.pass(5);
  await bench.accept(71);
  assertEquals(bench.asked.slice(4), ["accept 71"]); // there was nothing for so long that nothing is waited for
});

test("a claim waits where enough is there to be handled next, and else for nothing", async () => {
  const bench = new Bench({ credit: 8, concurrency: 2 });
  await bench.start(1, 2, 3, 4, 5, 6, 7, 8);
  await bench.accept(1, 2, 3);
  await bench.accept(4);
  assertEquals(bench.asked.slice(1), []); // two that may be handled, and two for after them
  await bench.accept(5);
  assertEquals(bench.asked.slice(1), ["claim 5 accept 1 accept 2 accept 3 accept 4 accept 5"]);
});

test("what a commit has accepted makes room, and is no reason to look where nothing was", async () => {
  const bench = new Bench({ credit: 2 });
  await bench.start(1);
  bench.receiver.freed();
  await bench.pass(5);
  assertEquals(bench.asked, ["claim 2"]);
});

test("one renewal is under way at a time; what has become due meanwhile goes with the next", async () => {
  const bench = new Bench({ credit: 3 });
  await bench.start(1, 2);
  await bench.pass(6_000);
  await bench.wake();
  await bench.messages.claimed(3);
  await bench.pass(4_000);
  const begun = bench.asked.length;
  assertEquals(bench.asked.at(-1), "renew 1 2");
  await bench.pass(10_000); // others are due as well, and all were looked at again
  assertEquals(bench.asked.slice(begun), []);
  await bench.messages.renewed();
  assertEquals(bench.asked.slice(begun), ["renew 3"]); // and not once more what has just been renewed
  await bench.messages.renewed();
  assertEquals(bench.asked.slice(begun), ["renew 3"]);
});

test("a renewal that fails is asked for again at once where it was missed meanwhile, without what is gone", async () => {
  const bench = new Bench({ credit: 2 });
  await bench.start(1, 2);
  await bench.pass(10_000);
  const begun = bench.asked.length;
  await bench.pass(5_000);
  await bench.accept(1);
  await bench.messages.claimed(); // with which it was accepted
  const since = bench.asked.length;
  assertEquals(bench.asked.slice(begun, since).filter((asked) => asked.startsWith("renew")), []);
  await bench.messages.renewed(new Error("It is not there"));
  assertEquals(bench.asked.slice(since), ["renew 2"]);
});

test("no claim asks for more than one flight brings, so that it is known that there is more", async () => {
  const bench = new Bench({ credit: 5_000 });
  await bench.start();
  assertEquals(bench.asked, ["claim 1000"]);
});

test("whoever settles what is lost before the flight hears that it is over", async () => {
  const bench = new Bench({ credit: 2 });
  await bench.start(1);
  let over = false;
  void bench.settle([1]).then(() => over = true);
  await rest();
  bench.receiver.claims.loseAll();
  await bench.pass(5);
  assertEquals([over, bench.asked], [true, ["claim 2", "claim 2"]]); // and it is accepted nowhere
});

test("what was handed over during a claim comes, also where the queue is made anew meanwhile", async () => {
  const bench = new Bench({ credit: 4 });
  await bench.start();
  await bench.wake();
  bench.handed(7);
  bench.receiver.renewed({ ...bench.receiver.queue, id: 2 });
  await bench.messages.claimed();
  assertEquals([bench.came, bench.receiver.room], ["7", 3]); // it was written, and who sent it believes so
});

test("what goes back waits for no more that does: another may have it", async () => {
  const bench = new Bench({ credit: 2 });
  await bench.start(1);
  void bench.settle([1], "release");
  await rest();
  assertEquals(bench.asked, ["claim 2", "write 1"]);
});

test("what was accepted is written soon, though the clock was set back by an hour before", async () => {
  const bench = new Bench({ credit: 4 });
  await bench.start(1);
  bench.clock.setBack(3_600_000);
  await bench.accept(1);
  await bench.pass(5);
  assertEquals(bench.asked.slice(1), ["accept 1"]);
});
