/** Schedules that a store keeps. @module */
import type { Contract } from "../contracts/contract.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import type { Cause } from "../pipeline/draft.ts";
import type { BusServices } from "../pipeline/endpoint_services.ts";
import type { Schedules } from "../pipeline/schedules.ts";
import type { OutgoingMessage, SendTarget } from "../pipeline/outgoing_message.ts";
import { checkSchedule, dueTimeOf } from "../pipeline/schedule_checks.ts";
import type { ScheduleOptions, ScheduleToken, When } from "../pipeline/sending.ts";
import type { ScheduleCancel } from "../spi/rows.ts";
import { milliseconds } from "../values/duration.ts";
import type { Storage } from "./storage.ts";
import { rowOf } from "./stored_message.ts";
import { UnitOfWork } from "./unit_of_work.ts";

/** Told apart from a broker's receipt. */
const prefix = "store:";
/** Of tokens that applications name. */
const namedPrefix = `${prefix}named:`;

/**
 * Schedules in a store: in a unit of work as part of its commit, else in one of their own. They can be taken back until
 * they are due.
 */
export class StoreSchedules implements Schedules {
  readonly #storage: Storage;
  readonly #services: () => BusServices;

  constructor(storage: Storage, services: () => BusServices) {
    this.#storage = storage;
    this.#services = services;
  }

  /** Whether a token is of a store. */
  static knows({ id }: ScheduleToken): boolean {
    return id.startsWith(prefix);
  }

  async schedule(
    contract: Contract,
    message: unknown,
    when: When,
    options: ScheduleOptions<unknown>,
    cause: Cause | undefined,
    target: SendTarget,
  ): Promise<ScheduleToken> {
    const definition = checkSchedule(contract);
    const { clock, sendPipeline } = this.#services();
    const now = clock.now();
    const dueAt = Math.max(now, dueTimeOf(when, now, definition.name));
    const latestAt = options.late === undefined
      ? undefined
      : dueAt + milliseconds(options.late, "{ late } of a schedule");
    const kind = definition.kind === "event" ? "publish" : "send";
    const call = this.#services().newId();
    const name = options.token === undefined ? undefined : checkName(options.token, definition.name);
    const place = { token: name === undefined ? prefix + call : namedPrefix + name, group: call };
    const into = this.#target(place, { dueAt, latestAt }, target);
    await sendPipeline.send(kind, definition, message, options, cause, into, { dueAt });
    return { id: name === undefined ? place.token : namedPrefix + JSON.stringify([call, name]) };
  }

  /** Where the message goes, which is a schedule there. */
  #target(
    { token, group }: { readonly token: string; readonly group: string },
    times: { readonly dueAt: number; readonly latestAt: number | undefined },
    target: SendTarget,
  ): SendTarget {
    const put = (unit: UnitOfWork, message: OutgoingMessage): void => {
      const row = rowOf(message, { group, ...times });
      unit.schedule({ put: { ...row, token } });
    };
    if (target instanceof UnitOfWork) {
      // The frame is made into what the transport gets before the commit.
      const enqueue = (message: OutgoingMessage): void => target.prepare(message, () => put(target, message));
      return { holds: true, keeps: true, enqueue };
    }
    return {
      holds: false,
      keeps: true,
      enqueue: (message) => this.#storage.keep(message, (unit) => put(unit, message)),
    };
  }

  async unschedule({ id }: ScheduleToken, target: SendTarget): Promise<void> {
    const cancel = cancelOf(id);
    if (target instanceof UnitOfWork) target.schedule(cancel);
    else await this.#storage.write(cancel.cancel, (unit) => unit.schedule(cancel));
  }
}

/** What a token takes back: all that is there, and what its own call may still bring, if a transaction has it. */
function cancelOf(id: string): ScheduleCancel {
  if (!id.startsWith(namedPrefix)) return { cancel: id, group: id.slice(prefix.length) };
  const [group, name] = JSON.parse(id.slice(namedPrefix.length)) as readonly [string, string]; // as it was made
  return { cancel: namedPrefix + name, group };
}

function checkName(token: unknown, contract: string): string {
  if (typeof token === "string" && token !== "") return token;
  throw new ConfigurationError(`Cannot schedule "${contract}" with this token: it must be text, and not empty`);
}
