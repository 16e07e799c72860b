/** Deliveries and settlements that go wrong. @module */
import { DisconnectedError } from "../errors/transport.ts";
import type { Clock } from "../spi/clock.ts";
import type { Address, Delivery, Receiver, Settlement, Sink } from "../spi/transport.ts";
import { longestDelayInMs } from "./fault_injection_sends.ts";
import type { Life } from "./life.ts";

/** A source whose deliveries come late and in other orders, and whose settlements fail. */
export class FaultyReceiver implements Receiver, Sink {
  readonly #sink: Sink;
  readonly #life: Life;
  readonly #clock: Clock;
  #receiver: Receiver | undefined;
  /** Deliveries that are late. */
  #late: Delivery[] = [];
  #waiting = false;

  /** @param clock the world's */
  constructor(sink: Sink, life: Life, clock: Clock) {
    this.#sink = sink;
    this.#life = life;
    this.#clock = clock;
  }

  /** The transport's own receiver, once it is there; `this` is its sink. */
  attach(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  get address(): Address {
    return this.#attached.address;
  }
  get #attached(): Receiver {
    if (this.#receiver === undefined) throw new TypeError("Nothing is received yet");
    return this.#receiver;
  }

  deliver(batch: readonly Delivery[]): void {
    if (this.#life.dead) return;
    this.#late.push(...batch);
    if (this.#waiting) return;
    if (!this.#life.dice.happens("delay")) return this.#pass();
    this.#waiting = true;
    this.#clock.at(this.#clock.now() + this.#life.dice.between(1, longestDelayInMs), () => {
      this.#waiting = false;
      this.#pass();
    });
  }

  #pass(): void {
    const batch = this.#late;
    this.#late = [];
    if (batch.length === 0 || !this.#life.survives("deliver")) return;
    const { dice } = this.#life;
    if (batch.length > 1 && dice.happens("reorder")) {
      // In two parts: the first may be at work when the second comes.
      const mixed = shuffled(batch, (below) => dice.between(0, below));
      const cut = dice.between(1, batch.length);
      this.#sink.deliver(mixed.slice(0, cut));
      if (!this.#life.dead) this.#sink.deliver(mixed.slice(cut));
    } else this.#sink.deliver(batch);
  }

  lost(deliveries: readonly Delivery[], reason: Error): void {
    if (this.#life.dead) return;
    const late = new Set(this.#late);
    const gone = new Set(deliveries);
    this.#late = this.#late.filter((delivery) => !gone.has(delivery));
    const known = deliveries.filter((delivery) => !late.has(delivery));
    if (known.length > 0) this.#sink.lost(known, reason);
  }

  readdressed(): void {
    if (!this.#life.dead) this.#sink.readdressed();
  }

  async settle(batch: readonly Settlement[]): Promise<void> {
    const life = this.#life;
    life.crossConnected("settle");
    const copies = batch.some(({ outcome }) => outcome === "again" || outcome === "move");
    if (copies && life.dice.happens("fail")) {
      life.note("failed", "settle");
      const done = batch.slice(0, life.dice.between(0, batch.length));
      if (done.length > 0) await this.#attached.settle(done);
      throw new DisconnectedError("memory", "settle");
    }
    await this.#attached.settle(batch);
    life.cross("settled");
    if (!life.dice.happens("delay")) return;
    await new Promise<void>((resolve) =>
      life.clock(this.#clock).at(this.#clock.now() + life.dice.between(1, longestDelayInMs), resolve)
    );
  }

  credit(total: number): void {
    if (!this.#life.dead) this.#attached.credit(total);
  }

  async stop(): Promise<void> {
    this.#life.crossConnected("stop");
    const late = this.#late;
    this.#late = [];
    if (late.length > 0) await this.#attached.settle(late.map((delivery) => ({ delivery, outcome: "release" })));
    await this.#attached.stop();
    this.#life.check();
  }
}

/** In another order, but for those of one key. */
function shuffled(batch: readonly Delivery[], below: (limit: number) => number): readonly Delivery[] {
  const mixed = [...batch];
  for (let at = mixed.length - 1; at > 0; at--) {
    const other = below(at + 1);
    const [a, b] = [mixed[at], mixed[other]];
    if (a !== undefined && b !== undefined) [mixed[at], mixed[other]] = [b, a];
  }
  // What has fallen on the places of a key takes them in its own order.
  const byKey = Map.groupBy(batch.filter(({ key }) => key !== undefined), ({ key }) => key);
  return mixed.map((delivery) => delivery.key === undefined ? delivery : byKey.get(delivery.key)?.shift() ?? delivery);
}
