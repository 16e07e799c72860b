/** Schedules that ride on the broker's own delay. @module */
import type { Contract } from "../contracts/contract.ts";
import { UnsupportedError } from "../errors/configuration.ts";
import { NotCancellableError } from "../errors/sending.ts";
import type { Cause } from "../pipeline/draft.ts";
import type { BusServices } from "../pipeline/endpoint_services.ts";
import type { Schedules } from "../pipeline/schedules.ts";
import type { OutgoingMessage, SendTarget } from "../pipeline/outgoing_message.ts";
import { checkSchedule, dueTimeOf } from "../pipeline/schedule_checks.ts";
import type { ScheduleOptions, ScheduleToken, When } from "../pipeline/sending.ts";
import type { Transport } from "../spi/transport.ts";

/**
 * Schedules on a bus without a durable store: the broker keeps what is due later. Its receipt is the token, or, where it
 * gives nothing back and so has none to give, an id by which an error can name it.
 */
export class BrokerSchedules implements Schedules {
  readonly #services: () => BusServices;
  readonly #transport: Transport;

  constructor(services: () => BusServices, transport: Transport) {
    this.#services = services;
    this.#transport = transport;
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
    if (options.token !== undefined) {
      throw new UnsupportedError(
        "the bus",
        `a { token } for the schedule of "${definition.name}", by which to replace it`,
        `Give it a durable store: createBus({ store })`,
      );
    }
    if (options.late !== undefined) {
      throw new UnsupportedError(
        "the bus",
        `{ late } for the schedule of "${definition.name}": the broker sends what is due, however late`,
        `Give it a durable store: createBus({ store }), or say { ttl }, which counts from the due time`,
      );
    }
    if (target.holds) {
      throw new UnsupportedError(
        "an outbox in memory",
        `schedules, and "${definition.name}" is scheduled in it`,
        `Schedule it outside of the handler, or send it with { delay }`,
      );
    }
    const { clock, sendPipeline, newId } = this.#services();
    const now = clock.now();
    const dueAt = Math.max(now, dueTimeOf(when, now, definition.name));
    let posted: OutgoingMessage | undefined;
    const kind = definition.kind === "event" ? "publish" : "send";
    await sendPipeline.send(kind, definition, message, options, cause, target, {
      dueAt,
      posted: (message) => void (posted = message),
    });
    if (posted?.receipt !== undefined) return { id: posted.receipt };
    return { id: dueAt > now && !this.#cancels ? newId() : "" };
  }

  async unschedule(token: ScheduleToken): Promise<void> {
    // It was delivered at once.
    if (token.id === "") return;
    if (!this.#cancels) throw new NotCancellableError(token.id, this.#transport.name);
    await this.#transport.cancel?.(token.id);
  }

  /** Whether the broker gives back what it delays. */
  get #cancels(): boolean {
    const { delay } = this.#transport.capabilities;
    return this.#transport.cancel !== undefined && delay !== false && delay.cancel;
  }
}
