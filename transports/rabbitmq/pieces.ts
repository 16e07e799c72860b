/** What shall be at the broker, piece by piece, and how it is compared with what is. @module */
import type { Channel, Options } from "amqplib";
import { HeroError } from "../../src/errors/hero_error.ts";
import type { Change, DeployMode } from "../../src/spi/transport.ts";
import type { Connection } from "./connection.ts";
import { bindDeadLetters, declareDeadLetters, declareUnsorted, isLimited, passOnFrom } from "./dead_letters.ts";
import { codeOf, codes, mismatchIn, textOf, toTyped } from "./errors.ts";
import type { RabbitmqExchangeOptions } from "./exchange_options.ts";
import { entranceArguments, hashArguments, hashExchange, hashing, joinParts, partsOf } from "./partitions.ts";

/** Declares one thing; twice is once. */
export type Declare = (channel: Channel) => Promise<unknown>;

/** A queue or an exchange: how to find out whether it is there, and how to make it. */
interface Piece {
  readonly check: Declare;
  readonly declare: Declare;
}

/** Something that shall be, in pieces. */
export interface Part {
  readonly entity: string;
  readonly detail: string;
  readonly pieces: readonly Piece[];
  /** What binds its pieces to each other, once they are there; it cannot be asked for. */
  readonly join?: Declare;
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
    pieces: [queuePiece(name, args), exchangePiece(name, "fanout")],
    join: (channel) => channel.bindQueue(name, name, ""),
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
    pieces: [exchangePiece(name, type, more)],
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
    pieces: [
      ...partsOf(name, count).map((each) => queuePiece(each, args)),
      exchangePiece(hashExchange(name), hashing, { arguments: hashArguments }),
      queuePiece(name, entranceArguments(name)),
      exchangePiece(name, "fanout"),
    ],
    join: (channel) => joinParts(channel, name, count),
    ...(errors === undefined ? {} : {
      complete: async (channel) => {
        await bindDeadLetters(channel, errors);
        await passOnFrom(channel, name, isLimited(args));
      },
      unsorted: isLimited(args),
    }),
  }];
}

function queuePiece(name: string, args: Readonly<Record<string, unknown>>): Piece {
  return {
    check: (channel) => channel.checkQueue(name),
    declare: (channel) => channel.assertQueue(name, { arguments: args }),
  };
}

function exchangePiece(name: string, type: string, options: Options.AssertExchange = {}): Piece {
  return {
    check: (channel) => channel.checkExchange(name),
    declare: (channel) => channel.assertExchange(name, type, options),
  };
}

/** Makes all of it. */
export async function declarePart(channel: Channel, { pieces, join }: Part): Promise<void> {
  for (const { declare } of pieces) await declare(channel);
  await join?.(channel);
}

/** Makes all, in order. What the broker refuses is left to whoever needs it. */
export async function declareAll(connection: Pick<Connection, "with">, all: readonly Declare[]): Promise<void> {
  let next = 0;
  while (next < all.length) {
    try {
      await connection.with(async (channel) => {
        for (; next < all.length; next++) await all[next]?.(channel);
      });
    } catch (error) {
      if (codeOf(error) === undefined) throw error; // the connection is gone
      next++;
    }
  }
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

/**
 * Compares, and makes what is missing where that is asked for.
 *
 * @throws what the broker says, as an error that names the part
 */
export async function compare(part: Part, mode: DeployMode, asking: Asking): Promise<Change | undefined> {
  try {
    return await compared(part, mode, asking);
  } catch (error) {
    throw error instanceof HeroError ? error : toTyped(error, part.entity, "deploy");
  }
}

async function compared(
  { entity, detail, pieces, join }: Part,
  mode: DeployMode,
  asking: Asking,
): Promise<Change | undefined> {
  let missing = 0;
  for (const { check, declare } of pieces) {
    try {
      await asking.ask(check);
    } catch (error) {
      if (codeOf(error) !== codes.notFound) throw error;
      missing++;
      if (mode === "apply") await asking.ask(declare);
      continue;
    }
    try {
      // What is there is not changed by that, and what differs is told by nothing else.
      await asking.ask(declare);
    } catch (error) {
      if (codeOf(error) === codes.accessRefused) continue; // no right to manage; it is there
      if (codeOf(error) !== codes.preconditionFailed) throw error;
      return { kind: "conflict", entity, detail: mismatchIn(error) ?? textOf(error) };
    }
  }
  if (mode === "apply" && join !== undefined) {
    try {
      await asking.ask(join);
    } catch (error) {
      if (missing > 0 || codeOf(error) !== codes.accessRefused) throw error;
    }
  }
  if (missing === 0) return undefined;
  return { kind: "create", entity, detail: missing === pieces.length ? detail : `what is missing of ${detail}` };
}

/** What is to be done once all queues are there, and for what. */
export function completions(
  queues: Iterable<readonly Part[]>,
): readonly { readonly entity: string; readonly complete: Declare }[] {
  const all: { readonly entity: string; readonly complete: Declare }[] = [];
  let unsorted = false;
  for (const parts of queues) {
    for (const part of parts) {
      if (part.complete !== undefined) all.push({ entity: part.entity, complete: part.complete });
      unsorted ||= part.unsorted === true;
    }
  }
  const [first] = all;
  if (first === undefined) return all;
  const { entity } = first;
  return [
    { entity, complete: declareDeadLetters },
    ...(unsorted ? [{ entity, complete: declareUnsorted }] : []),
    ...all,
  ];
}
