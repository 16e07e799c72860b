/** What a bus sends: by itself, within a transaction that somebody has begun, or in one of its own. @module */
import type { Contract } from "../contracts/contract.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { joined, transact } from "../outbox/transactions.ts";
import type { UnitOfWork } from "../outbox/unit_of_work.ts";
import { type CallKind, callOptionsError, unitOptionsError } from "../pipeline/call_options.ts";
import { noOptions } from "../pipeline/draft.ts";
import { HeldMessages } from "../pipeline/held_messages.ts";
import type { SendTarget } from "../pipeline/outgoing_message.ts";
import type { RequestOptions, ScheduleOptions, ScheduleToken, Sender, SendOptions, When } from "../pipeline/sending.ts";
import type { Awaitable } from "../values/awaitable.ts";
import type { BusCore } from "./bus_core.ts";
import type { BusLife } from "./bus_life.ts";

/** Sends for a bus, once it is started. */
export class BusSender<Tx> {
  readonly #core: BusCore;
  readonly #life: BusLife;

  constructor(core: BusCore, life: BusLife) {
    this.#core = core;
    this.#life = life;
  }

  /** As `bus.send` and `bus.publish`. */
  send(
    kind: "send" | "publish",
    contract: Contract,
    message: unknown,
    options: SendOptions<unknown>,
    target: SendTarget = this.#core.outbound,
  ): Promise<void> {
    try {
      this.#life.check(kind);
      if (options !== noOptions) {
        this.#checkOptions(kind, options);
        if (options.tx !== undefined) return this.#sendIn(options.tx, kind, contract, message, options);
        if (target === this.#core.outbound) this.#checkLeftOut(kind, options);
      }
      return this.#core.services.sendPipeline.send(kind, contract, message, options, undefined, target);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `bus.request`; what its owner answers. */
  async request(
    contract: Contract<never, unknown, unknown, "command" | "query">,
    message: unknown,
    options: RequestOptions,
  ): Promise<unknown> {
    this.#life.check("request");
    this.#checkOptions("request", options);
    return await this.#core.requests.request(contract, message, options, undefined, {
      holder: undefined,
      signal: undefined,
    });
  }

  /** As `bus.schedule`. */
  async schedule(
    contract: Contract,
    message: unknown,
    when: When,
    options: ScheduleOptions<unknown>,
  ): Promise<ScheduleToken> {
    this.#life.check("schedule");
    this.#checkOptions("schedule", options);
    this.#checkLeftOut("schedule", options);
    const { tx, ...rest } = options;
    if (tx === undefined) return await this.#schedule(contract, message, when, rest, this.#core.outbound);
    return await this.#join(tx, (unit) => this.#schedule(contract, message, when, rest, unit));
  }

  /** As `bus.unschedule`. */
  async unschedule(token: ScheduleToken, options: { readonly tx?: unknown }): Promise<void> {
    this.#life.check("unschedule");
    this.#checkOptions("unschedule", options);
    this.#checkLeftOut("unschedule", options);
    const { tx } = options;
    const { services: { schedules }, outbound } = this.#core;
    if (tx === undefined) await schedules.unschedule(token, outbound);
    else await this.#join(tx, (unit) => schedules.unschedule(token, unit));
  }

  /** As `bus.transaction`. */
  async transaction<Result>(work: (tx: Tx, sender: Sender) => Awaitable<Result>): Promise<Result> {
    this.#life.check("begin a transaction");
    const { storage, services, outbound, name } = this.#core;
    if (typeof work !== "function") {
      throw new ConfigurationError(
        `Cannot begin a transaction on the bus "${name}": ${shown(work)} is no function. ` +
          `Give one, as in bus.transaction(async (tx, sender) => { … })`,
      );
    }
    if (storage?.given === true) {
      // The store is the one whose transactions the bus' type tells of.
      return await transact(storage, services, (unit) => work(unit.tx as Tx, this.#into(unit, unit)));
    }
    const held = new HeldMessages();
    // Without a store there is no transaction to write with: `Tx` is `undefined`.
    const result = await work(undefined as Tx, this.#into(held, undefined));
    await held.letGo(outbound);
    return result;
  }

  #checkOptions(kind: CallKind, options: object): void {
    const error = callOptionsError(kind, options, this.#core.name);
    if (error !== undefined) throw error;
  }

  /** Whoever names a transaction and has none would not notice that what was to be part of it happens at once. */
  #checkLeftOut(kind: CallKind, options: { readonly tx?: unknown }): void {
    if (options.tx !== undefined || !("tx" in options)) return;
    throw new ConfigurationError(
      `Cannot use { tx: undefined } for ${kind}() on "${this.#core.name}": there is a transaction to be part of, or none, ` +
        `and this does not tell. Give the one that is open, or leave { tx } out, as in { ...(tx && { tx }) }`,
      { details: { option: "tx" } },
    );
  }

  /** Apart: what captures its parameters makes room for them at every call. */
  #sendIn(
    tx: unknown,
    kind: "send" | "publish",
    contract: Contract,
    message: unknown,
    options: SendOptions<unknown>,
  ): Promise<void> {
    return this.#join(tx, (unit) => this.send(kind, contract, message, { ...options, tx: undefined }, unit));
  }

  // deno-lint-ignore require-await -- async, so that what it refuses rejects
  async #join<Result>(tx: unknown, work: (unit: UnitOfWork) => Promise<Result>): Promise<Result> {
    const { storage, services, name } = this.#core;
    if (storage === undefined || !storage.given) {
      throw new ConfigurationError(
        `Cannot join a transaction on the bus "${name}": it has no store. Give it one: createBus({ store })`,
      );
    }
    return joined(storage, tx, services.newId, work);
  }

  #schedule(
    contract: Contract,
    message: unknown,
    when: When,
    options: ScheduleOptions<unknown>,
    target: SendTarget,
  ): Promise<ScheduleToken> {
    return this.#core.services.schedules.schedule(contract, message, when, options, undefined, target);
  }

  #into(target: SendTarget, unit: UnitOfWork | undefined): Sender {
    const tracked = <Result>(sending: Promise<Result>): Promise<Result> => unit?.track(sending) ?? sending;
    return {
      publish: (event, message, options = noOptions) => tracked(this.send("publish", event, message, options, target)),
      send: (command, message, options = noOptions) => tracked(this.send("send", command, message, options, target)),
      schedule: async (contract, message, when, options = {}) => {
        const refused = unitOptionsError("schedule", options, this.#core.name);
        const scheduling = refused === undefined
          ? this.#schedule(contract, message, when, options, target)
          : Promise.reject(refused);
        return await tracked(scheduling);
      },
      unschedule: (token) => tracked(this.#core.services.schedules.unschedule(token, target)),
    };
  }
}
