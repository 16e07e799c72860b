/** The same work on each side: publish, confirmed and persistent → durable queue → handler → acknowledgement. @module */
import { connect } from "amqplib";
import { Buffer } from "node:buffer";
import { command, createBus, event } from "../../mod.ts";
import { rabbitmq } from "../../transports/rabbitmq/mod.ts";
import type { Text } from "../memory/messages.ts";
import { peer } from "../peers/mod.ts";
import { type QueueType, remove, url } from "./broker.ts";

/** As many as may be unacknowledged. */
const PREFETCH = 1_000;
/** As many as raw amqplib acknowledges at once. */
const ACKNOWLEDGED = 50;

/** One side, connected. */
export interface Side {
  /** Resolves once the broker has it. */
  publish(message: Text): Promise<unknown>;
  /** Lets what may be unacknowledged be so no more: called when all has been handled. */
  finish(): void;
  /** Ends it, and takes away what it made. */
  close(): Promise<void>;
}

/** Connects a side whose handler is `handle`. */
export type Connect = (handle: (message: Text) => void, type: QueueType) => Promise<Side>;

const SendText = command<Text>("bench.send-text");
const TextSent = event<Text>("bench.text-sent");

/** @param published whether by its exchange, as an event, or right to its queue, as a command */
function hero(published: boolean): Connect {
  return async (handle, type) => {
    const transport = rabbitmq({ url, queue: { type } });
    const made = new Set<string>();
    const deploy = transport.deploy.bind(transport);
    transport.deploy = async (topology, mode) => {
      const names = [...topology.queues, ...topology.topics].map(({ name }) => name).filter((name) => !made.has(name));
      for (const name of names) made.add(name);
      await remove(names);
      return await deploy(topology, mode);
    };
    const bus = createBus({ name: "bench", transport });
    const endpoint = bus.endpoint("bench-texts", { prefetch: PREFETCH });
    if (published) endpoint.handle(TextSent, handle);
    else endpoint.handle(SendText, handle);
    await bus.start();
    return {
      publish: published ? (message) => bus.publish(TextSent, message) : (message) => bus.send(SendText, message),
      finish: () => {},
      close: async () => {
        await bus.stop();
        await remove(made);
      },
    };
  };
}

/** Well written: no delay of TCP, one channel to publish and one to consume, several acknowledged at once. */
const amqplib: Connect = async (handle, type) => {
  const queue = "bench-raw";
  await remove([queue]);
  const connection = await connect(url, { noDelay: true });
  const publishing = await connection.createConfirmChannel();
  const consuming = await connection.createChannel();
  await consuming.assertQueue(queue, { durable: true, arguments: { "x-queue-type": type } });
  await consuming.prefetch(PREFETCH);
  let last: Parameters<typeof consuming.ack>[0] | undefined;
  let unacknowledged = 0;
  const acknowledge = (): void => {
    if (last !== undefined) consuming.ack(last, true);
    last = undefined;
    unacknowledged = 0;
  };
  await consuming.consume(queue, (message) => {
    if (message === null) throw new Error("The broker has cancelled the consumer");
    handle(JSON.parse(message.content.toString()));
    last = message;
    if (++unacknowledged === ACKNOWLEDGED) acknowledge();
  });
  return {
    publish: (message) =>
      new Promise<void>((resolve, reject) => {
        const properties = {
          persistent: true,
          contentType: "application/json",
          messageId: message.id,
          headers: { a: "b", c: "d" },
        };
        publishing.sendToQueue(queue, Buffer.from(JSON.stringify(message)), properties, (error) => {
          if (error === null || error === undefined) resolve();
          else reject(error);
        });
      }),
    finish: acknowledge,
    close: async () => {
      await connection.close();
      await remove([queue]);
    },
  };
};

/** What is used of `@nestjs/microservices`. */
interface NestMicroservices {
  readonly ServerRMQ: new (options: object) => {
    addHandler(pattern: string, handler: (message: Text, context: NestContext) => Promise<void>, event: true): void;
    listen(listening: (error?: Error) => void): void;
    close(): Promise<void>;
  };
  readonly ClientRMQ: new (options: object) => {
    connect(): Promise<unknown>;
    emit(pattern: string, message: Text): unknown;
    close(): Promise<void>;
  };
}
interface NestContext {
  getChannelRef(): { ack(message: unknown): void };
  getMessage(): unknown;
}

const nestjs: Connect = async (handle, type) => {
  const queue = "bench-nest";
  await remove([queue]);
  await peer("reflect-metadata");
  const { ClientRMQ, ServerRMQ } = await peer<NestMicroservices>("@nestjs/microservices");
  const { lastValueFrom } = await peer<{ lastValueFrom(source: unknown, options: object): Promise<unknown> }>("rxjs");
  const options = {
    urls: [url],
    queue,
    queueOptions: { durable: true, arguments: { "x-queue-type": type } },
    socketOptions: { connectionOptions: { noDelay: true } },
    persistent: true,
    prefetchCount: PREFETCH,
    noAck: false,
  };
  const server = new ServerRMQ(options);
  server.addHandler("text", (message, context) => {
    handle(message);
    context.getChannelRef().ack(context.getMessage());
    return Promise.resolve();
  }, true);
  await new Promise<void>((resolve, reject) => {
    server.listen((error) => error === undefined || error === null ? resolve() : reject(error));
  });
  const client = new ClientRMQ({ ...options, noAck: true });
  await client.connect();
  return {
    publish: (message) => lastValueFrom(client.emit("text", message), { defaultValue: undefined }),
    finish: () => {},
    close: async () => {
      await client.close();
      await server.close();
      await remove([queue]);
    },
  };
};

/** By the names that `run.ts` uses. */
export const sides: Readonly<Record<string, Connect>> = {
  "hero": hero(false),
  "hero-published": hero(true),
  amqplib,
  nestjs,
};
