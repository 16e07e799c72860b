/** A receiver that cannot take tries again, without hurry. */
import { assert, assertEquals } from "@std/assert";
import { Rounds } from "../../../transports/rabbitmq/rounds.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { test } from "../../support/runner.ts";

/** Fails again and again until `enough`; gives the waits between. */
function waitsOf(rounds: Rounds, clock: FakeClock, count: number): readonly number[] {
  const waits: number[] = [];
  let since = clock.now();
  const again = (): void => {
    waits.push(clock.now() - since);
    since = clock.now();
    if (waits.length < count) rounds.later(again);
  };
  rounds.later(again);
  clock.advance(count * 10_000);
  return waits;
}

test("rabbitmq: a receiver whose queue is gone looks for it less and less often, every ten seconds in the end", () => {
  const clock = new FakeClock();
  const rounds = new Rounds(clock, () => Promise.resolve());
  for (let life = 0; life < 2; life++) {
    const waits = waitsOf(rounds, clock, 20);
    assertEquals(waits.length, 20);
    for (const [at, wait] of waits.entries()) {
      const middle = Math.min(10_000, 100 * 2 ** at);
      assert(wait >= middle * 0.7 - 1 && wait <= Math.min(10_000, middle * 1.3 + 1), `${life}, ${at}: ${wait}`);
    }
    rounds.succeeded(); // so the next failure is the first
  }
  assertEquals(clock.waiting, 0);
});

test("rabbitmq: a receiver that ends looks no more", () => {
  const clock = new FakeClock();
  const rounds = new Rounds(clock, () => Promise.resolve());
  let looked = false;
  rounds.later(() => looked = true);
  rounds.endWait();
  clock.advance(60_000);
  assertEquals([looked, clock.waiting], [false, 0]);
});
