/** A queue that lives as long as its receiver. */
import { assertEquals } from "@std/assert";
import { OwnQueue } from "../../src/leasing/own_queue.ts";
import { turn } from "../../src/testing/turn.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { test } from "../support/runner.ts";

const leaseMs = 30_000;

/** One of which a test says what becomes, and that writes down what is done. */
class Noted extends OwnQueue<string> {
  readonly did: string[];
  /** What its renewal gives. */
  renewal: (queue: string) => string | Promise<string> = (queue) => queue;
  removal: () => void = () => {};

  constructor(clock: VirtualClock, did: string[], end: AbortSignal) {
    super({ clock, leaseMs, end, failed: (error) => did.push(String(error)) }, "first", {
      renewed: (queue) => did.push(`renewed ${queue}`),
    });
    this.did = did;
  }

  protected override async renew(queue: string): Promise<string> {
    this.did.push(`renew ${queue}`);
    return await this.renewal(queue);
  }
  protected override takeAway(queue: string): Promise<void> {
    this.did.push(`take ${queue} away`);
    return Promise.resolve().then(this.removal);
  }
}

function begun(): { own: Noted; did: string[]; clock: VirtualClock; end: AbortController; pass(): Promise<void> } {
  const [clock, did, end] = [new VirtualClock(), [] as string[], new AbortController()];
  const own = new Noted(clock, did, end.signal);
  own.start();
  return { own, did, clock, end, pass: () => clock.advanceTo(clock.now() + leaseMs, turn) };
}

test("a receiver's own queue is renewed once a lease until it is stopped", async () => {
  const { own, did, pass } = begun();
  await pass();
  await pass();
  own.stop();
  await pass();
  await own.remove();
  assertEquals(did, ["renew first", "renew first", "take first away"]);
});

test("one that is gone is another from then on, and its owner is told", async () => {
  const { own, did, pass } = begun();
  own.renewal = () => "second";
  await pass();
  own.stop();
  await own.remove();
  assertEquals(did, ["renew first", "renewed second", "take second away"]);
});

test("one that is made anew after its receiver has stopped is taken away at once, and nobody is told", async () => {
  const { own, did, pass } = begun();
  const made = Promise.withResolvers<string>();
  own.renewal = () => made.promise;
  await pass();
  own.stop();
  made.resolve("second");
  await turn();
  assertEquals(did, ["renew first", "take second away"]);
});

test("a renewal that fails is told of, and tried again", async () => {
  const { own, did, pass } = begun();
  own.renewal = () => Promise.reject(new Error("away"));
  await pass();
  await pass();
  own.stop();
  assertEquals(did, ["renew first", "Error: away", "renew first", "Error: away"]);
});

test("a removal that fails is told of, unless the database is left", async () => {
  const { own, did, end } = begun();
  own.stop();
  own.removal = () => {
    throw new Error("away");
  };
  await own.remove();
  end.abort();
  await own.remove();
  assertEquals(did, ["take first away", "Error: away", "take first away"]);
});
