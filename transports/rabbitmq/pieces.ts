/** What shall be at the broker, piece by piece, and how it is compared with what is. @module */
import type { Channel } from "amqplib";
import type { Change, DeployMode } from "../../src/spi/transport.ts";
import type { Connection } from "./connection.ts";
import { bindDeadLetters, declareDeadLetters, declareUnsorted, isLimited, passOnFrom } from "./dead_letters.ts";
import { codeOf, codes, mismatchIn, textOf } from "./errors.ts";
import type { RabbitmqExchangeOptions } from "./exchange_options.ts";
import { declareParts, partsOf } from "./partitions.ts";

/** Declares one thing; twice is once. */
export type Declare = (channel: Channel) => Promise<unknown>;

/** Something that shall be, and how to find out whether it is. */
export interface Part {
  readonly entity: string;
  readonly detail: string;
  readonly check: Declare;
  readonly declare: Declare;
  /** What it needs of others, once all are there. */
  readonly complete?: Declare;
  /** Why its messages died is for this process to find out. */
  readonly unsorted?: boolean;
}

/**
 * A queue and what leads to it, with its arguments.
 *
 * @param errors the queue to which it gives messages up, which is declared beside it
 */
export function partsOfQueue(
  name: string,
  args: Readonly<Record<string, unknown>>,
  errors: string | undefined,
): readonly Part[] {
  return [{
    entity: `queue:${name}`,
    detail: `a durable queue with ${Object.entries(args).map(([key, value]) => `${key} = ${value}`).join(", ")}`,
    check: (channel) => channel.checkQueue(name),
    declare: async (channel) => {
      await channel.assertQueue(name, { arguments: args });
      await channel.assertExchange(name, "fanout");
      await channel.bindQueue(name, name, "");
    },
    ...(errors === undefined ? {} : {
      complete: (channel) => bindDeadLetters(channel, errors),
      unsorted: isLimited(args),
    }),
  }];
}

/** The exchange of a topic. */
export function partOfTopic(name: string, options: RabbitmqExchangeOptions): Part {
  const { type = "fanout", alternate, arguments: args } = options;
  const more = {
    ...(args === undefined ? {} : { arguments: args }),
    ...(alternate === undefined ? {} : { alternateExchange: alternate }),
  };
  return {
    entity: `topic:${name}`,
    detail: `a durable exchange of the type ${type}${
      alternate === undefined ? "" : `, what nobody takes to "${alternate}"`
    }`,
    check: (channel) => channel.checkExchange(name),
    declare: (channel) => channel.assertExchange(name, type, more),
  };
}

/** The same of a queue in parts. */
export function partsOfPartitions(
  name: string,
  count: number,
  args: Readonly<Record<string, unknown>>,
  errors: string | undefined,
): readonly Part[] {
  return [{
    entity: `queue:${name}`,
    detail: `a durable queue in ${count} parts, chosen by the key`,
    check: async (channel) => {
      for (const each of [name, ...partsOf(name, count)]) await channel.checkQueue(each);
    },
    declare: (channel) => declareParts(channel, name, count, args),
    ...(errors === undefined ? {} : {
      complete: async (channel) => {
        await bindDeadLetters(channel, errors);
        await passOnFrom(channel, name, isLimited(args));
      },
      unsorted: isLimited(args),
    }),
  }];
}

/** One channel for many questions: a new one where an answer has ended it. */
export class Asking {
  readonly #connection: Connection;
  #channel: Channel | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Rejects with what the broker says. */
  async ask(question: Declare): Promise<void> {
    this.#channel ??= await this.#connection.channel();
    try {
      await question(this.#channel);
    } catch (error) {
      this.#channel = undefined;
      throw error;
    }
  }

  /** Nothing more is asked. */
  end(): void {
    void this.#channel?.close().catch(() => {}); // the connection has ended it
  }
}

/** Compares, and makes what is missing where that is asked for. */
export async function compare(
  { entity, detail, check, declare }: Part,
  mode: DeployMode,
  asking: Asking,
): Promise<Change | undefined> {
  try {
    await asking.ask(check);
  } catch (error) {
    if (codeOf(error) !== codes.notFound) throw error;
    if (mode === "apply") await asking.ask(declare);
    return { kind: "create", entity, detail };
  }
  try {
    // What is there is not changed by that, and what differs is told by nothing else.
    await asking.ask(declare);
  } catch (error) {
    if (codeOf(error) === codes.accessRefused) return undefined; // no right to manage; it is there
    if (codeOf(error) !== codes.preconditionFailed) throw error;
    return { kind: "conflict", entity, detail: mismatchIn(error) ?? textOf(error) };
  }
  return undefined;
}

/** What is to be done once all queues are there. */
export function completions(queues: Iterable<readonly Part[]>): readonly Declare[] {
  const all: Declare[] = [];
  let unsorted = false;
  for (const parts of queues) {
    for (const part of parts) {
      if (part.complete !== undefined) all.push(part.complete);
      unsorted ||= part.unsorted === true;
    }
  }
  if (all.length === 0) return all;
  return [declareDeadLetters, ...(unsorted ? [declareUnsorted] : []), ...all];
}
