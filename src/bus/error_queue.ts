/** What an endpoint has given up, or no handler was for. @module */
import type { Envelope } from "../envelope/envelope.ts";
import { applicationHeaders, headerCount, headerText, names } from "../envelope/headers.ts";
import { parseMessageType } from "../envelope/message_type.ts";
import { ConfigurationError, UnsupportedError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type { ExceptionInfo } from "../errors/exception_info.ts";
import { envelopeOf } from "../pipeline/opened.ts";
import { referred } from "../pipeline/reference.ts";
import type { Serializers } from "../serialization/negotiation.ts";
import { type Frame, type FrameHeaders, withHeaders } from "../spi/frame.ts";
import type { Address, Admin, Delivery, Outgoing, Receiver, Sink, Transport } from "../spi/transport.ts";
import { abortable, checkSignal } from "../values/abortable.ts";
import { isPromise } from "../values/awaitable.ts";
import { queueName } from "../values/destination.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import type { ErrorQueue, FailedMessage, Selection } from "./control.ts";
import { unlessMissing } from "./unless_missing.ts";

const pageSize = 100;
const credit = 100;

const listOptionNames: OptionNames<NonNullable<Parameters<ErrorQueue["list"]>[0]>> = {
  limit: true,
  after: true,
  signal: true,
};

/** `<endpoint>_error` or `<endpoint>_skipped`, on a transport that lets an operator look. */
export class EndpointErrorQueue implements ErrorQueue {
  readonly #transport: Transport;
  readonly #queue: string;
  readonly #endpoint: Address;
  readonly #serializers: Serializers;
  readonly #call: string;
  readonly #now: () => number;
  readonly #open: () => Promise<void>;

  /**
   * @param addresses `aside`: where the messages lie; `endpoint`: where they are put back
   * @param call what the application called, for errors
   * @param now epoch milliseconds
   * @param open connects, where the bus was not started; left out: it is open
   */
  constructor(
    transport: Transport,
    addresses: { readonly aside: Address; readonly endpoint: Address },
    serializers: Serializers,
    call: string,
    now: () => number,
    open: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.#transport = transport;
    this.#queue = queueName(addresses.aside) ?? addresses.aside;
    this.#endpoint = addresses.endpoint;
    this.#serializers = serializers;
    this.#call = call;
    this.#now = now;
    this.#open = open;
  }

  async *list(
    options: { readonly limit?: number; readonly after?: string; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<FailedMessage> {
    checkOptionNames(options, listOptionNames, `list() of "${this.#queue}"`);
    const { limit = Infinity, after, signal } = options;
    if (!(limit >= 0)) {
      throw new ConfigurationError(`Cannot list ${shown(limit)} of "${this.#queue}": { limit } is a number from 0`);
    }
    if (after !== undefined && typeof after !== "string") {
      throw new ConfigurationError(`Cannot list "${this.#queue}" after ${shown(after)}: give a message's id`);
    }
    checkSignal(signal, `list() of "${this.#queue}"`);
    const admin = await this.#admin(signal);
    let given = 0;
    let reached = after === undefined;
    let from: string | undefined;
    do {
      signal?.throwIfAborted();
      const page = await this.#asked(admin, admin.browse(this.#queue, from, pageSize));
      if (page === undefined) return;
      for (const delivery of page.items) {
        if (given >= limit) return;
        const message = this.#describe(delivery);
        if (reached) {
          given++;
          yield message;
        } else reached = message.messageId === after;
      }
      from = page.next;
    } while (from !== undefined);
  }

  requeue(which: Selection): Promise<number> {
    return this.#take(which, async (delivery, receiver) => {
      await this.#send(delivery);
      await receiver.settle([{ delivery, outcome: "accept" }]);
    });
  }

  discard(which: Selection): Promise<number> {
    return this.#take(which, async (delivery, receiver) => {
      await receiver.settle([{ delivery, outcome: "accept" }]);
    });
  }

  /** Takes all that is there, does `work` with what is chosen, and puts the rest back. */
  async #take(
    which: Selection,
    work: (delivery: Delivery, receiver: Receiver) => Promise<void>,
  ): Promise<number> {
    const chosen = this.#chooser(which);
    const admin = await this.#admin();
    const failures: unknown[] = [];
    let count = 0;
    const opened: { receiver?: Receiver } = {};
    const early: Delivery[] = [];
    const handle = async (delivery: Delivery, from: Receiver): Promise<void> => {
      try {
        if (!chosen(delivery)) return await from.settle([{ delivery, outcome: "release" }]);
        await work(delivery, from);
        count++;
      } catch (error) {
        failures.push(error);
        await from.settle([{ delivery, outcome: "release" }]);
      }
    };
    const under: Promise<void>[] = [];
    const sink: Sink = {
      deliver: (batch) => {
        const { receiver } = opened;
        if (receiver === undefined) early.push(...batch);
        else for (const delivery of batch) under.push(handle(delivery, receiver));
      },
      lost: (_, reason) => void failures.push(reason),
      readdressed: () => {},
    };
    const taking = await this.#asked(admin, admin.take(this.#queue, sink, credit));
    if (taking === undefined) return 0;
    opened.receiver = taking;
    for (const delivery of early.splice(0)) under.push(handle(delivery, taking));
    await taking.done;
    await Promise.all(under);
    await taking.stop();
    if (failures.length > 0) throw failures[0];
    return count;
  }

  /**
   * What was asked of the queue; `undefined`: it is not there, as nothing has failed yet.
   *
   * @throws {TopologyError} if the endpoint's queue is not there either: this is another broker, or another name
   */
  async #asked<Result>(admin: Admin, asked: Promise<Result>): Promise<Result | undefined> {
    const result = await unlessMissing(this.#queue, asked);
    if (result === undefined) await admin.count(queueName(this.#endpoint) ?? this.#endpoint);
    return result;
  }

  #chooser(which: Selection): (delivery: Delivery) => boolean {
    if (which === "all") return () => true;
    if (typeof which === "function") return (delivery) => decided(which(this.#describe(delivery)), this.#queue);
    if (!Array.isArray(which)) throw noSelection(which, `"${this.#queue}"`, `, or a filter`);
    const other = which.find((id: unknown) => typeof id !== "string");
    if (other !== undefined) throw noSelection([other], `"${this.#queue}"`, `, or a filter`);
    const ids = new Set(which);
    return (delivery) => ids.has(idOf(delivery.frame));
  }

  /**
   * Back to the endpoint, without what was written on it when it failed. Who puts it back wants it handled, whatever time
   * it was given to live; whoever asked for an answer has left with that time.
   */
  #send({ frame, key }: Delivery): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { expiresAt, requestId } = envelopeIfAny(frame) ?? {};
    const lives = expiresAt !== undefined && requestId === undefined;
    const headers = withoutFailure(frame.headers);
    const outgoing: Outgoing = {
      frame: withHeaders(
        frame,
        lives ? { ...headers, [names.putBackAt]: new Date(this.#now()).toISOString() } : headers,
      ),
      messageId: idOf(frame),
      to: this.#endpoint,
      alsoTo: [],
      key,
      mandatory: true,
      settled: (error) => error === undefined ? resolve() : reject(error),
    };
    return Promise.resolve(this.#transport.send([outgoing])).then(() => promise);
  }

  #describe({ frame }: Delivery): FailedMessage {
    const reference = referred(frame);
    const { headers } = frame;
    const [type] = parseMessageType(reference?.envelope.type ?? headerText(headers[names.type]) ?? "");
    const content = reference === undefined ? frame : this.#serialized(reference.message);
    return {
      messageId: idOf(frame),
      contract: type,
      requestId: envelopeIfAny(frame)?.requestId,
      reason: headerText(headers[names.reason]) ?? "fault",
      failedAt: new Date(headerText(headers[names.failedAt]) ?? NaN),
      attempts: headerCount(headers[names.failedAttempts]),
      exceptions: exceptionsOf(headers),
      headers: reference?.envelope.headers ?? applicationHeaders(headers),
      contentType: content.contentType,
      body: new Uint8Array(content.body), // who looks at it changes nothing in the queue
    };
  }

  #serialized(message: unknown): Pick<Frame, "contentType" | "body"> {
    const { contentType } = this.#serializers.default;
    try {
      return { contentType, body: this.#serializers.default.serialize(message).body };
    } catch {
      // It never had bytes, and cannot have any: there is nothing to show.
      return { contentType: "", body: new Uint8Array(0) };
    }
  }

  async #admin(signal?: AbortSignal): Promise<Admin> {
    const { admin, name } = this.#transport;
    if (admin === undefined) throw new UnsupportedError(name, this.#call, `Use the broker's own tools`);
    signal?.throwIfAborted();
    const opened = this.#open();
    await (signal === undefined ? opened : abortable(opened, signal));
    return admin;
  }
}

/**
 * From JavaScript one may be none, and would choose nothing: `requeue()`, or `requeue(id)`.
 *
 * @param more what else it may be
 */
export function noSelection(which: unknown, from: string, more = ""): ConfigurationError {
  return new ConfigurationError(
    `Cannot choose from ${from} by ${shown(which)}. ` +
      `Give "all"${more === "" ? " or" : ","} a list of message ids${more}`,
  );
}

/** From JavaScript a filter may be async: its promise, taken for true, would choose what it does not mean. */
function decided(chosen: unknown, queue: string): boolean {
  if (!isPromise(chosen)) return Boolean(chosen);
  chosen.then(undefined, () => {});
  throw new ConfigurationError(
    `Cannot choose from "${queue}" by a filter that gives a promise. Collect the ids from list() first, and give those`,
  );
}

function idOf(frame: Frame): string {
  return referred(frame)?.envelope.messageId ?? headerText(frame.headers[names.id]) ?? "";
}

function envelopeIfAny(frame: Frame): Envelope | undefined {
  try {
    return envelopeOf(frame, () => "");
  } catch {
    return undefined; // it may be why it is here
  }
}

const failureHeaders: ReadonlySet<string> = new Set([
  names.attempts,
  names.redeliveries,
  names.reason,
  names.errorType,
  names.errorMessage,
  names.errors,
  names.failedAt,
  names.failedEndpoint,
  names.failedHost,
  names.failedAttempts,
  names.faultNotTold,
]);

/** What MassTransit writes on what it gives up, and its connectors take off again. */
const masstransits = /^MT-(?:Fault-|Reason$)/;

function withoutFailure(headers: FrameHeaders): FrameHeaders {
  const kept = Object.entries(headers).filter(([name]) => !failureHeaders.has(name) && !masstransits.test(name));
  return Object.fromEntries(kept);
}

function exceptionsOf(headers: FrameHeaders): readonly ExceptionInfo[] {
  const written = headerText(headers[names.errors]);
  try {
    const exceptions: unknown = written === undefined ? undefined : JSON.parse(written);
    if (Array.isArray(exceptions)) return exceptions;
  } catch {
    // Another program may have written or cut it: its type and message stand beside it.
  }
  const [type, message] = [headerText(headers[names.errorType]), headerText(headers[names.errorMessage])];
  return type === undefined && message === undefined ? [] : [{ type: type ?? "", message: message ?? "" }];
}
