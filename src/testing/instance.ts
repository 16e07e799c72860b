/** Instances of a simulated application. @module */
import type { Bus } from "../bus/bus.ts";
import { MessageBus } from "../bus/message_bus.ts";
import { toError } from "../errors/thrown.ts";
import type { Transport } from "../spi/transport.ts";
import type { Duration } from "../values/duration.ts";
import type { Random } from "../values/random.ts";
import { checkConfigured } from "./configured.ts";
import { FaultyStore } from "./fault_injection_store.ts";
import { FaultyTransport } from "./fault_injection_transport.ts";
import type { Dice } from "./faults.ts";
import { guard } from "./guard.ts";
import { type MemoryBroker, type MemoryDatabase, testDefaults, testStore, testTransport } from "./in_memory.ts";
import { InstanceLedger, type WorldLedger, type WritableLedger } from "./ledger.ts";
import { Life } from "./life.ts";
import type { Settled } from "./settling.ts";
import type { Timeline } from "./timeline.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/** What an instance has beside its bus. */
export interface Instance {
  /** As the world knows it. */
  readonly name: string;
  /** From 1, over crashes. */
  readonly life: number;
  /** What outlives it; made when it is first asked for. */
  ledger<Entry>(name: string): WritableLedger<Entry>;
  /** Whether something happens that has this chance, from 0 to 1: `if (instance.chance(0.1)) throw …`. */
  chance(of: number): boolean;
  /** A wait on the world's clock; of no end, once the instance has crashed. */
  delay(inMs: number): Promise<void>;
}

/** Sets an instance up: endpoints and middleware on a bus that has not started. Called again after each crash. */
export type ConfigureInstance = (bus: Bus, instance: Instance) => void;

/** How an instance differs from others. */
export interface InstanceOptions {
  /** Left out: whatever the faults say. `false`: it never crashes. */
  readonly crashes?: boolean;
  /**
   * The name of its bus. Instances of one name share an inbox and an outbox, as the processes of one service do. Left
   * out: the instance's own.
   */
  readonly service?: string;
  /** Stands between the bus and its transport: to plant a bug, to see whether it is found. */
  readonly wrap?: (transport: Transport) => Transport;
}

/** What all instances of a world share. */
export interface Shared {
  readonly broker: MemoryBroker;
  /** Of all stores; outlives crashes. */
  readonly database: MemoryDatabase;
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly random: Random;
  readonly newId: () => string;
  readonly timeline: Timeline;
  ledger<Entry>(name: string): WorldLedger<Entry>;
}

/** The longest time until a crashed instance is there again, in milliseconds. */
const longestRestartInMs = 5000;

/** An instance over its lives. */
export class SimulatedInstance {
  readonly name: string;
  readonly #shared: Shared;
  readonly #configure: ConfigureInstance;
  readonly #options: InstanceOptions;
  readonly #started = Promise.withResolvers<void>();
  /** Why it could not begin another life. */
  failure: { readonly life: number; readonly error: Error } | undefined;
  #lives = 0;
  #life: Life | undefined;
  #bus: MessageBus<undefined> | undefined;

  constructor(name: string, shared: Shared, configure: ConfigureInstance, options: InstanceOptions) {
    this.name = name;
    this.#shared = shared;
    this.#configure = configure;
    this.#options = options;
  }

  /** Resolves when it runs for the first time. */
  get started(): Promise<void> {
    return this.#started.promise;
  }
  /** Its bus, as long as it lives. */
  get bus(): MessageBus<undefined> | undefined {
    return this.#life?.dead === true ? undefined : this.#bus;
  }
  /** What its bus still has; nothing while it is dead. */
  get activity(): Settled["activity"] | undefined {
    return this.bus?.life.activity;
  }

  /** Begins the next life. */
  begin(): void {
    const { broker, database, clock, dice, timeline } = this.#shared;
    const { crashes = true, service = this.name, wrap = (transport: Transport) => transport } = this.#options;
    const number = ++this.#lives;
    const inner = testTransport(broker);
    const life = new Life({
      name: this.name,
      dice,
      mortal: crashes,
      disconnect: () => broker.disconnect(inner),
      died: () => {
        broker.kill(inner);
        this.#restart();
      },
      note: (what, where, messageId) => timeline.note(this.name, what, where, messageId),
    });
    this.#life = life;
    const transport = wrap(new FaultyTransport(inner, life, clock.background));
    const { random, newId } = this.#shared;
    const bus = new MessageBus<undefined>(
      { name: service, transport, clock: life.clock(clock), random, newId },
      transport,
      { ...testDefaults, store: () => new FaultyStore(testStore(database), life, clock.background) },
    );
    this.#bus = bus;
    const observer = timeline.observer(this.name);
    bus.observe(Object.fromEntries(
      // What a dead instance believes has not happened.
      Object.entries(observer).map(([event, tell]) => [event, (...told: never[]) => {
        if (!life.dead) (tell as (...told: never[]) => void)(...told);
      }]),
    ));
    // Every other life: a pipeline without any middleware takes other ways.
    if (crashes && dice.coin()) bus.use(guard(life));
    try {
      checkConfigured(this.#configure(bus, this.#seenBy(life, number)), `the instance "${this.name}"`);
    } catch (error) {
      return this.#fail(number, error);
    }
    bus.start().then(() => {
      if (life.dead) return;
      timeline.note(this.name, "started", `life ${number}`);
      this.#started.resolve();
    }, (error) => {
      if (life.dead) return;
      this.#fail(number, error);
    });
  }

  /** Of its first life, whoever asked for it is told; any other has nobody who waits for it. */
  #fail(life: number, error: unknown): void {
    this.#started.reject(error);
    if (life > 1) this.failure ??= { life, error: toError(error) };
  }

  /**
   * Stops it, and begins its next life; nothing, while it is dead. It may crash meanwhile.
   *
   * @param deadline how long handlers may finish
   */
  async restart(deadline: Duration): Promise<void> {
    const [life, bus] = [this.#life, this.bus];
    if (life === undefined || bus === undefined) return;
    const dead = new Promise<void>((resolve) => life.onDeath(resolve));
    try {
      await Promise.race([bus.stop({ deadline }), dead]);
    } catch (error) {
      if (!life.dead) throw error;
    }
    if (life.dead) return;
    life.stopped();
    life.note("stopped", `life ${this.#lives}`);
    this.begin();
  }

  #restart(): void {
    const { clock, dice } = this.#shared;
    clock.background.at(clock.now() + dice.between(1, longestRestartInMs), () => this.begin());
  }

  #seenBy(life: Life, number: number): Instance {
    const { random, clock } = this.#shared;
    return {
      name: this.name,
      life: number,
      ledger: <Entry>(name: string) => new InstanceLedger<Entry>(this.#shared.ledger(name), life, name),
      chance: (of) => random() < of,
      delay: (inMs) => new Promise((resolve) => life.clock(clock).at(clock.now() + inMs, resolve)),
    };
  }
}
