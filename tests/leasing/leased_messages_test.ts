/** What a receiver holds by leases. */
import { assert, assertEquals } from "@std/assert";
import { ClaimLostError } from "@hero/messaging";
import { type Leased, LeasedMessages } from "../../src/leasing/leased_messages.ts";
import type { Clock } from "../../src/spi/clock.ts";
import type { Delivery, Settlement } from "../../src/spi/transport.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { test } from "../support/runner.ts";
import { turn } from "../../src/testing/turn.ts";

const leaseMs = 30_000;

/** Leases of which a test says what becomes, and that write down what they ask for. */
class Noted extends LeasedMessages<Leased> {
  readonly asked: string[];
  answers = true;
  readonly #clock: Clock;

  constructor(clock: Clock, asked: string[], holder: { readonly name: string }) {
    super(
      { queue: holder, wake: () => asked.push("wake"), emptied: () => asked.push("emptied") },
      {
        deliver: () => {},
        lost: (all, reason) => asked.push(`lost ${ids(all)}: ${reason.name}`),
        readdressed: () => {},
      },
      clock,
      leaseMs,
    );
    this.asked = asked;
    this.#clock = clock;
  }

  take(place: number, holdMs = Infinity): Leased {
    const delivery: Delivery = {
      frame: { contentType: "", headers: { id: String(place) }, body: new Uint8Array() },
      key: undefined,
      via: "queue:work",
      deliveryCount: 1,
    };
    const now = this.#clock.now();
    const lease = { place, delivery, holdUntil: now + holdMs, until: now + leaseMs, settling: false, unanswered: 0 };
    this.add(lease);
    return lease;
  }
  find(place: number): Leased | undefined {
    return this.at(place);
  }

  protected override renew(leases: readonly Leased[]): void {
    this.asked.push(`renew ${places(leases)}`);
    if (!this.answers) return;
    for (const lease of leases) {
      lease.until = this.#clock.now() + leaseMs;
      lease.unanswered = 0;
    }
  }
  protected override ended(leases: readonly Leased[]): void {
    this.asked.push(`ended ${places(leases)}`);
    this.lose(leases);
  }
  protected override overdue(leases: readonly Leased[]): void {
    this.asked.push(`overdue ${places(leases)}`);
  }
  protected override freed(): void {
    this.asked.push("freed");
  }
  protected override closing(): void {
    this.asked.push(`closing ${this.isClosed}`);
  }
}

const places = (leases: readonly Leased[]): string => leases.map(({ place }) => place).join();
const ids = (all: readonly Delivery[]): string => all.map(({ frame }) => frame.headers.id).join();
const accept = ({ delivery }: Leased): Settlement => ({ delivery, outcome: "accept" });

function started(): { readonly clock: VirtualClock; readonly leases: Noted; readonly asked: () => string[] } {
  const clock = new VirtualClock();
  const asked: string[] = [];
  return { clock, leases: new Noted(clock, asked, { name: "work" }), asked: () => asked.splice(0) };
}
const pass = (clock: VirtualClock, ms: number): Promise<void> => clock.advanceTo(clock.now() + ms, turn);

test("a lease is renewed after a third of it, again and again, and not once it is settled", async () => {
  const { clock, leases, asked } = started();
  const first = leases.take(1);
  await pass(clock, 4_000);
  leases.take(2);
  await pass(clock, 5_999);
  assertEquals(asked(), []);
  await pass(clock, 1);
  assertEquals(asked(), ["renew 1"]);
  await pass(clock, 4_000);
  assertEquals(asked(), ["renew 2"]);
  leases.settled(leases.begin([accept(first)]));
  assertEquals(asked(), ["freed"]);
  await pass(clock, 20_000);
  assertEquals(asked(), ["renew 2", "renew 2"]);
});

test("a lease whose renewal nobody answers is asked for again until it has ended, and is lost then", async () => {
  const { clock, leases, asked } = started();
  leases.answers = false;
  leases.take(1);
  await pass(clock, leaseMs - 1);
  assertEquals(asked(), ["renew 1", "renew 1", "renew 1", "renew 1"]);
  await pass(clock, 1);
  assertEquals(asked(), ["ended 1", "lost 1: ClaimLostError", "wake", "emptied"]);
  assertEquals([leases.size, leases.find(1)], [0, undefined]);
});

test("one that has ended while the process stood still is asked for before it is given up", async () => {
  const { clock, leases, asked } = started();
  const lease = leases.take(1);
  lease.until = clock.now(); // as if so long had passed at once
  leases.take(2);
  await pass(clock, 10_000);
  assertEquals(asked()[0], "renew 1,2");
  assertEquals(leases.size, 2);
});

test("a lease is renewed in time where the clock is set back meanwhile", async () => {
  const time = new VirtualClock();
  let back = 0;
  const clock: Clock = { now: () => time.now() - back, at: (at, run) => time.at(at + back, run) };
  const asked: string[] = [];
  const leases = new Noted(clock, asked, { name: "work" });
  leases.take(1, 60_000);
  await pass(time, 4_000);
  leases.take(2);
  back = 3_600_000;
  await pass(time, 6_000);
  assertEquals(asked.splice(0), ["renew 1"]);
  await pass(time, 4_000);
  assertEquals(asked.splice(0), ["renew 2"]);
  leases.take(3);
  await pass(time, 6_000);
  assertEquals(asked.splice(0), ["renew 1"]);
  await pass(time, 4_000);
  assertEquals([asked.splice(0), leases.size], [["renew 2,3"], 3]);
});

test("what was held for as long as it may be is lost, and others are to have it", async () => {
  const { clock, leases, asked } = started();
  const lease = leases.take(1, 12_000);
  leases.take(2);
  await pass(clock, 12_000);
  assertEquals(asked(), ["renew 1,2", "lost 1: ClaimLostError", "wake", "overdue 1"]);
  assertEquals([leases.holds(lease), leases.size], [false, 1]);
});

test("a delivery is settled once, and one that is lost not at all", () => {
  const { leases, asked } = started();
  const [one, two] = [leases.take(1), leases.take(2)];
  const wanted = leases.begin([accept(one), accept(one)]);
  assertEquals([wanted.length, leases.unsettled, leases.begin([accept(one)])], [1, 1, []]);
  leases.undo(wanted);
  assertEquals(leases.unsettled, 2);
  leases.undo(wanted);
  assertEquals(leases.unsettled, 2);
  const again = leases.begin([accept(one)]);
  leases.lose([one]);
  assertEquals(asked(), ["lost 1: ClaimLostError", "wake"]);
  leases.lose([one]);
  leases.undo(again);
  leases.settled(again);
  assertEquals(asked(), ["freed"]);
  assertEquals([leases.size, leases.unsettled, leases.begin([accept(one)])], [1, 1, []]);
  leases.settled(leases.begin([accept(two)]));
  assertEquals(asked(), ["freed", "emptied"]);
});

test("of a message that was taken twice the first delivery is not the second's", () => {
  const { leases } = started();
  const first = leases.take(1);
  const second = leases.take(1);
  assert(leases.find(1) === second);
  leases.lose([first]);
  assert(leases.find(1) === second);
});

test("who closes hears what is held, and renews nothing; the sink hears of it if there is a reason", async () => {
  for (const reason of [undefined, new ClaimLostError("work")]) {
    const { clock, leases, asked } = started();
    const held = [leases.take(1), leases.take(2)];
    leases.begin([accept(held[0]!)]);
    assertEquals(leases.close(reason), held);
    assertEquals(asked(), [
      "closing true",
      ...reason === undefined ? [] : ["lost 1,2: ClaimLostError"],
      "emptied",
    ]);
    assertEquals([leases.close(reason), leases.size, leases.unsettled], [[], 0, 0]);
    await pass(clock, leaseMs);
    assertEquals(asked(), []);
  }
});

test("who has ended renews no more what it still holds", async () => {
  const { clock, leases, asked } = started();
  leases.take(1);
  leases.end();
  await pass(clock, leaseMs);
  assertEquals([asked(), leases.size], [[], 1]);
});

test("once the last has ended, nothing is looked at again", async () => {
  const { clock, leases, asked } = started();
  leases.answers = false;
  leases.take(1);
  await pass(clock, leaseMs);
  assertEquals(asked().at(-1), "emptied");
  assertEquals(clock.pending, 0);
});
