/** An instance of a simulated application, and its death. @module */
import type { Clock } from "../spi/clock.ts";
import { InstanceCrashedError } from "./errors.ts";
import type { Dice } from "./faults.ts";
import type { Incident } from "./timeline.ts";

/** What a life needs. */
export interface LifeOptions {
  /** Of the instance. */
  readonly name: string;
  readonly dice: Dice;
  /** False: it never dies. */
  readonly mortal: boolean;
  /** Its connection breaks. */
  readonly disconnect: () => void;
  /** It crashes: the broker is to give what it had to others. */
  readonly died: (at: string) => void;
  /** Told of what happens to it. */
  readonly note: (what: Incident, where: string, messageId?: string) => void;
}

/** One life of an instance, from its start to its crash: all that crosses its seams asks here first. */
export class Life {
  readonly name: string;
  readonly dice: Dice;
  readonly #options: LifeOptions;
  readonly #onDeath: (() => void)[] = [];
  #deadAt: string | undefined;

  constructor(options: LifeOptions) {
    this.name = options.name;
    this.dice = options.dice;
    this.#options = options;
  }

  get dead(): boolean {
    return this.#deadAt !== undefined;
  }
  /** Why what it does has no effect. */
  get error(): InstanceCrashedError {
    return new InstanceCrashedError(this.name, this.#deadAt ?? "");
  }

  /** Called when it is over. */
  onDeath(run: () => void): void {
    this.#onDeath.push(run);
  }

  note(what: Incident, where: string, messageId?: string): void {
    this.#options.note(what, where, messageId);
  }

  /** @throws {InstanceCrashedError} if it is dead */
  check(): void {
    if (this.dead) throw this.error;
  }

  /**
   * It may die here.
   *
   * @param at as in `send`
   * @throws {InstanceCrashedError} if it is dead, or dies
   */
  cross(at: string): void {
    this.check();
    if (!this.#options.mortal || !this.dice.happens("crash")) return;
    this.note("crashed", at);
    this.#end(at);
    this.#options.died(at);
    throw this.error;
  }

  /** It has been stopped: what it still does has no effect. */
  stopped(): void {
    if (!this.dead) this.#end("stop");
  }

  #end(at: string): void {
    this.#deadAt = at;
    for (const run of this.#onDeath) run();
  }

  /** As `cross`, and its connection may break. */
  crossConnected(at: string): void {
    this.cross(at);
    if (!this.dice.happens("drop")) return;
    this.note("disconnected", at);
    this.#options.disconnect();
  }

  /** As `cross`, but tells of the death instead of throwing. */
  survives(at: string): boolean {
    if (this.dead) return false;
    try {
      this.cross(at);
      return true;
    } catch {
      return false;
    }
  }

  /** The time of this life: once it is dead, no timer of it fires. */
  clock(clock: Clock): Clock {
    const view = (of: Clock): Clock => ({
      now: () => of.now(),
      // A dead instance sets no timers; what it waits for never comes.
      at: (time, run) =>
        this.dead ? () => {} : of.at(time, () => {
          if (this.survives("timer")) run();
        }),
    });
    return {
      ...view(clock),
      background: view(clock.background ?? clock),
      timeouts: view(clock.timeouts ?? clock),
    };
  }
}
