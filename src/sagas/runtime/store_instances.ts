/** The instances of a saga in the bus' store, for operators. @module */
import { ConfigurationError } from "../../errors/configuration.ts";
import { shown } from "../../errors/shown.ts";
import { SagaNotFoundError, SagaRequestAbandonedError } from "../../errors/saga.ts";
import type { Storage } from "../../outbox/storage.ts";
import { transact } from "../../outbox/transactions.ts";
import type { UnitOfWork } from "../../outbox/unit_of_work.ts";
import type { BusServices } from "../../pipeline/endpoint_services.ts";
import type { Serializer } from "../../spi/serializer.ts";
import type { SagaRow } from "../../spi/rows.ts";
import type { Unit } from "../../spi/store.ts";
import { epochMilliseconds, type Instant } from "../../values/instant.ts";
import { checkOptionNames, type OptionNames } from "../../values/option_names.ts";
import type { Shape } from "../context.ts";
import { finalState, initialState, type SagaDefinition } from "../definition.ts";
import type { SagaInstance } from "../instance.ts";
import type { SagaCorrection, SagaHistoryEntry, SagaInstances, SagaView } from "../instances.ts";
import { isOver } from "../machine.ts";
import { faultCaller } from "./callers.ts";
import { whereOf } from "./correlating.ts";
import { scheduleToken } from "./effects.ts";
import { fromHistoryRow } from "./history.ts";
import { fromRow } from "./instance_row.ts";
import { save } from "./saving.ts";

const pageSize = 100;
const findOptionNames: OptionNames<{ readonly after?: string; readonly limit?: number }> = { after: true, limit: true };
const pruneOptionNames: OptionNames<{ readonly limit?: number }> = { limit: true };
const correctionNames: OptionNames<SagaCorrection<Shape>> = { state: true, data: true };
const setOptionNames: OptionNames<{ readonly reason: string; readonly by?: string }> = { reason: true, by: true };

/** What the instances of a saga need of its bus. */
export interface SagaHome {
  readonly storage: Storage;
  readonly services: BusServices;
  /** Puts back what its endpoint has given up for an instance; gives how many. */
  requeue(id: string, instance: SagaInstance | undefined): Promise<number>;
  /** Has the compensation of an instance go on. */
  resume(instance: SagaInstance, token: string): Promise<void>;
}

/** See {@linkcode SagaInstances}. */
export class StoreSagaInstances<S extends Shape> implements SagaInstances<S> {
  readonly #saga: SagaDefinition;
  readonly #home: SagaHome;
  readonly #serializer: Serializer;

  constructor(saga: SagaDefinition, home: SagaHome) {
    this.#saga = saga;
    this.#home = home;
    this.#serializer = home.services.serializers.pick("application/json");
  }

  async get(id: string): Promise<SagaView<S> | undefined> {
    this.#checkId(id);
    const row = await this.#load(id);
    return row === undefined ? undefined : await this.#view(row);
  }
  /** From JavaScript it may be the number that it is elsewhere, under which nothing is found. */
  #checkId(id: unknown): void {
    if (typeof id === "string" && id !== "") return;
    throw new ConfigurationError(
      `Cannot look for the instance ${shown(id)} of "${this.#saga.name}": its id is text. Give it as one`,
    );
  }
  #checkLimit(limit: unknown): void {
    if (Number.isSafeInteger(limit) && Number(limit) >= 1) return;
    throw new ConfigurationError(
      `Cannot use { limit: ${shown(limit)} } for the saga "${this.#saga.name}". Give a whole number from 1`,
    );
  }
  #load(id: string): Promise<SagaRow | undefined> {
    return this.#read((unit) => unit.load(this.#saga.name, id, false));
  }

  async find(
    where: Partial<S["data"]>,
    options: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly SagaView<S>[]> {
    const saga = this.#saga;
    checkOptionNames(options, findOptionNames, `find() of the saga "${saga.name}"`);
    const { after, limit = pageSize } = options;
    this.#checkLimit(limit);
    if (typeof where !== "object" || where === null) {
      throw new ConfigurationError(
        `Cannot find instances of "${saga.name}" by ${shown(where)}: give values of its { indexes }, or {} for all`,
      );
    }
    const by = Object.keys(where).length === 0 ? {} : whereOf(saga, "find", where);
    const rows = await this.#read((unit) => unit.find(saga.name, by, after, limit));
    const views: SagaView<S>[] = [];
    for (const row of rows) views.push(await this.#view(row));
    return views;
  }

  async count(state?: string): Promise<number> {
    const { storage } = this.#home;
    const states = [initialState, ...this.#saga.states, finalState];
    if (state !== undefined && !states.includes(state)) {
      throw new ConfigurationError(
        `Cannot count the instances of "${this.#saga.name}" in ${shown(state)}: it has no such state. ` +
          `Use one of ${states.map(shown).join(", ")}`,
      );
    }
    return await storage.store.sagas.count(storage.bus, this.#saga.name, state);
  }

  async *history(id: string): AsyncGenerator<SagaHistoryEntry> {
    this.#checkId(id);
    const { storage } = this.#home;
    let after: number | undefined;
    for (;;) {
      const page = await storage.store.sagas.history(storage.bus, this.#saga.name, id, after, pageSize);
      for (const { row } of page) yield fromHistoryRow(row, this.#serializer);
      if (page.length < pageSize) return;
      after = page.at(-1)?.place;
    }
  }

  async set(
    id: string,
    correction: SagaCorrection<S>,
    options: { readonly reason: string; readonly by?: string },
  ): Promise<void> {
    this.#checkId(id);
    const saga = this.#saga;
    checkOptionNames(options, setOptionNames, `set() of the saga "${saga.name}"`);
    const { reason, by } = options;
    const { storage, services } = this.#home;
    if (typeof reason !== "string" || reason === "") {
      throw new ConfigurationError(
        `Cannot change the instance "${id}" of "${saga.name}" without a { reason }: its history is to say why`,
      );
    }
    checkOptionNames(correction, correctionNames, `a correction of the instance "${id}" of "${saga.name}"`);
    const { state, data } = correction;
    if (state !== undefined && state !== finalState && !saga.states.includes(state)) {
      throw new ConfigurationError(
        `Cannot put the instance "${id}" of "${saga.name}" into "${state}": it has no such state. ` +
          `Use one of ${[...saga.states, finalState].map((each) => `"${each}"`).join(", ")}`,
      );
    }
    await transact(storage, services, async (unit) => {
      // Whoever handles a message for it meanwhile begins again.
      const row = await unit.load(saga.name, id, false);
      if (row === undefined) {
        const instead = "Nothing was changed: look with get() or find() which there are; one that is over may be gone";
        throw new SagaNotFoundError(saga.name, "set", `the id "${id}"`, { instead });
      }
      const instance = await fromRow(saga, row, this.#serializer);
      const from = instance.state;
      if (data !== undefined) instance.data = data;
      if (state !== undefined) instance.state = state;
      if (isOver(saga, instance)) {
        for (const token of tokensOf(instance)) unit.schedule({ cancel: scheduleToken(token) });
        await this.#tellCallers(instance, unit);
      }
      await save(saga, instance, row, unit, this.#serializer, {
        at: services.clock.now(),
        occurrence: { kind: "set" },
        transitions: instance.state === from ? [] : [{ from, to: instance.state }],
        reason,
        ...(by === undefined ? {} : { by }),
      });
    });
  }

  async redeliver(id: string): Promise<number> {
    this.#checkId(id);
    const row = await this.#load(id);
    const instance = row === undefined ? undefined : await fromRow(this.#saga, row, this.#serializer);
    const count = await this.#home.requeue(id, instance);
    if (count > 0 || instance?.compensating === undefined) return count;
    await this.#home.resume(instance, instance.compensating.token);
    return 1;
  }

  async forget(id: string): Promise<boolean> {
    this.#checkId(id);
    const saga = this.#saga;
    const { storage, services } = this.#home;
    const row = await this.#load(id);
    if (row !== undefined) {
      await transact(storage, services, async (unit) => {
        const now = await unit.load(saga.name, id, false);
        if (now === undefined) return;
        const instance = await fromRow(saga, now, this.#serializer);
        if (isOver(saga, instance)) return unit.save(now, undefined, []);
        throw new ConfigurationError(
          `Cannot forget the instance "${id}" of "${saga.name}": it is in "${instance.state}", and is not over. ` +
            `Wait for its end, or end it with set(…, { state: "final" }, …)`,
        );
      });
    }
    let deleted = 0;
    for (let page = pageSize; page === pageSize; deleted += page) {
      page = await storage.store.sagas.forget(storage.bus, saga.name, { id }, pageSize);
    }
    return row !== undefined || deleted > 0;
  }

  async prune(before: Instant, options: { readonly limit?: number } = {}): Promise<number> {
    const { storage } = this.#home;
    checkOptionNames(options, pruneOptionNames, `prune() of the saga "${this.#saga.name}"`);
    const { limit = 1_000 } = options;
    this.#checkLimit(limit);
    return await storage.store.sagas.forget(storage.bus, this.#saga.name, { before: epochMilliseconds(before) }, limit);
  }

  /** Whoever waits for what would have come of an answer is told that it does not. */
  async #tellCallers({ id, state, requests }: SagaInstance, unit: UnitOfWork): Promise<void> {
    for (const { caller } of Object.values(requests)) {
      if (caller === undefined) continue;
      const error = new SagaRequestAbandonedError(this.#saga.name, id, caller.event, state);
      await unit.track(faultCaller(this.#home.services, undefined, this.#saga, caller, error, unit));
    }
  }

  /** Without changing anything. */
  async #read<Result>(work: (unit: Unit<unknown>) => Promise<Result>): Promise<Result> {
    const unit = await this.#home.storage.view();
    try {
      return await work(unit);
    } finally {
      await unit.rollback();
    }
  }

  async #view(row: SagaRow): Promise<SagaView<S>> {
    const { id, state, data, incarnation, timeouts, requests, undos, compensating } = await fromRow(
      this.#saga,
      row,
      this.#serializer,
    );
    return {
      id,
      // The saga's own, or it could not have been read.
      state: state as SagaView<S>["state"],
      data,
      incarnation,
      version: row.version,
      timeouts: Object.keys(timeouts) as S["timeout"][], // as above
      requests: Object.keys(requests),
      undos: undos.map(({ name }) => name),
      compensating: compensating !== undefined,
    };
  }
}

/** Of all that is scheduled for it. */
function tokensOf({ timeouts, requests }: SagaInstance): readonly string[] {
  return [...Object.values(timeouts), ...Object.values(requests).map(({ token }) => token)];
}
