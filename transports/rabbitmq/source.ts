/** What becomes of a source at the broker. @module */
import type { Channel } from "amqplib";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import type { Host, Source } from "../../src/spi/transport.ts";
import type { Connection } from "./connection.ts";
import type { Delays } from "./delays.ts";
import type { Outbox } from "./outgoing.ts";
import { mergedOptions, type RabbitmqQueueOptions, streamOffset, typeOf } from "./queue_options.ts";
import type { ReceiverOptions, ReceiverServices } from "./receiver_options.ts";
import type { Deployments } from "./topology.ts";

/** How long a queue outlives its process: what comes while a connection is made again is not lost. */
const goneAfterInMs = 60_000;

/** What a source needs of its transport. */
interface SourceParts {
  readonly host: Host;
  readonly connection: Connection;
  readonly outbox: Outbox;
  readonly delays: Delays;
  readonly deployments: Deployments;
  readonly defaults: RabbitmqQueueOptions;
  /** The broker takes back what is held for longer. */
  readonly consumerTimeoutInMs: number;
}

/**
 * How to open a source.
 *
 * @throws {ConfigurationError} if it is to be ordered, and its queue was deployed for several consumers at once; or if
 *   it may hold a message for longer than the broker lets it
 */
export function sourceServices(source: Source, parts: SourceParts): {
  readonly options: ReceiverOptions;
  readonly services: Omit<ReceiverServices, "ended" | "troubled">;
  /** In how many parts the queue is; `undefined`: it is one. */
  readonly partitions: number | undefined;
} {
  const { host, connection, outbox, delays, deployments, defaults } = parts;
  const { queue, topics, lifetime, ordered } = source;
  const settings = mergedOptions(defaults, source.extensions);
  const own = settings.arguments?.["x-consumer-timeout"];
  const timeoutInMs = typeof own === "number" ? own : parts.consumerTimeoutInMs;
  checkHold(source, timeoutInMs);
  if (ordered && lifetime === "durable" && settings.partitions === undefined && deployments.single(queue) === false) {
    throw new ConfigurationError(
      `Cannot keep the order of "${queue}" across processes: its queue was deployed to give messages to all ` +
        `consumers at once. Deploy it as { ordered: true }, or with rabbitmq.queue({ singleActiveConsumer: true })`,
    );
  }
  let opened = false;
  const declare = async (channel: Channel, isAnother: boolean): Promise<void> => {
    if (lifetime !== "durable") {
      // Not exclusive: while the broker still believes in a connection that is gone, it would refuse the next one.
      await channel.assertQueue(queue, { arguments: { "x-queue-type": "classic", "x-expires": goneAfterInMs } });
      await deployments.bindInstance(channel, queue, topics, settings.bind ?? []);
    } else if (opened) {
      // Somebody else may have made it again, or the broker has not deleted it altogether yet.
      const gone = isAnother || !await connection.has(queue);
      await deployments.queueAgain(channel, queue);
      delays.forget();
      if (gone) await delays.restore([`queue:${queue}`]);
    }
    opened = true;
  };
  return {
    partitions: lifetime === "durable" ? settings.partitions : undefined,
    options: {
      queue,
      named: queue,
      credit: source.credit,
      ordered,
      counts: lifetime === "durable" && typeOf(settings) === "quorum",
      timeoutInMs,
      priority: settings.consumerPriority,
      exclusive: settings.exclusive === true,
      offset: lifetime === "durable" && typeOf(settings) === "stream" ? streamOffset(settings.offset) : undefined,
    },
    services: {
      host,
      connection,
      copies: outbox,
      declare,
      remove: async (channel) => {
        if (lifetime !== "durable") await channel.deleteQueue(queue);
      },
      now: () => host.clock.now(),
      postpone: (claim, dueAt) => outbox.postpone(claim, dueAt, {}, undefined),
    },
  };
}

function checkHold({ queue, lifetime, holdMs }: Source, most: number): void {
  if (lifetime === "reply" || holdMs <= most) return;
  throw new ConfigurationError(
    `Cannot take from "${queue}": its endpoint may have a message for ${holdMs} ms ({ timeout }, { hold }), and the ` +
      `broker takes it back after ${most} ms, to give it to another. Raise the broker's consumer_timeout and say so with ` +
      `rabbitmq({ consumerTimeout }), or lower the endpoint's`,
  );
}
