/** Requests per second, 64 in flight, both ways persistent and confirmed: `rpc.ts hero|amqplib`. @module */
import { connect, type ConsumeMessage } from "amqplib";
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { createBus, query } from "../../mod.ts";
import { rabbitmq } from "../../transports/rabbitmq/mod.ts";
import { abreast } from "../support/flow.ts";
import { args, finish, rate } from "../support/program.ts";
import { remove, url } from "./broker.ts";

const inFlight = 64;
const count = 20_000;
const prefetch = 1_000;

interface Numbered {
  readonly value: number;
}
type Ask = (value: number) => Promise<Numbered>;

const Echo = query<Numbered, Numbered>("bench.echo");

async function hero(): Promise<Ask> {
  const queue = { type: "classic" } as const;
  await remove(["bench-echoes"]);
  const bus = createBus({ name: "bench", transport: rabbitmq({ url, queue }) });
  bus.endpoint("bench-echoes", { prefetch, concurrency: inFlight }).handle(Echo, ({ value }) => ({ value }));
  await bus.start();
  return (value) => bus.request(Echo, { value });
}

/**
 * By hand: a request is acknowledged when the broker has its answer. Answers are kept as the bus keeps them, in a durable
 * queue that outlives a lost connection, until they are acknowledged: all of one turn at once.
 */
async function amqplib(): Promise<Ask> {
  const queue = "bench-raw-echoes";
  await remove([queue]);
  const connection = await connect(url, { noDelay: true });
  const requesting = await connection.createConfirmChannel();
  const answering = await connection.createConfirmChannel();
  await answering.assertQueue(queue, { durable: true });
  await answering.prefetch(prefetch);
  const contentType = "application/json";
  await answering.consume(queue, (message) => {
    if (message === null) throw new Error("The broker has cancelled the consumer");
    const { replyTo, correlationId } = message.properties;
    const { value }: Numbered = JSON.parse(message.content.toString());
    const answer = Buffer.from(JSON.stringify({ value }));
    answering.sendToQueue(replyTo, answer, { persistent: true, contentType, correlationId }, (error) => {
      if (error !== null && error !== undefined) throw error;
      answering.ack(message);
    });
  });
  const replyTo = `bench-raw-answers-${crypto.randomUUID()}`;
  await requesting.assertQueue(replyTo, { durable: true, expires: 60_000 });
  await requesting.prefetch(prefetch);
  let last: ConsumeMessage | undefined;
  const acknowledge = (): void => {
    if (last !== undefined) requesting.ack(last, true);
    last = undefined;
  };
  const waiting = new Map<string, (answer: Numbered) => void>();
  await requesting.consume(replyTo, (message) => {
    if (message === null) throw new Error("The broker has cancelled the consumer");
    const id: string = message.properties.correlationId;
    waiting.get(id)?.(JSON.parse(message.content.toString()));
    waiting.delete(id);
    if (last === undefined) setImmediate(acknowledge);
    last = message;
  });
  return (value) =>
    new Promise((resolve, reject) => {
      const correlationId = crypto.randomUUID();
      waiting.set(correlationId, resolve);
      const properties = { persistent: true, contentType, replyTo, correlationId };
      requesting.sendToQueue(queue, Buffer.from(JSON.stringify({ value })), properties, (error) => {
        if (error !== null && error !== undefined) reject(error);
      });
    });
}

const sides: Readonly<Record<string, () => Promise<Ask>>> = { hero, amqplib };
const [name = ""] = args;
const side = Object.hasOwn(sides, name) ? sides[name] : undefined;
if (side === undefined) throw new Error(`There is no side "${name}". Name one of: ${Object.keys(sides).join(", ")}`);
finish(
  await rate({
    count,
    warmUp: 0.5, // as run.ts
    prepare: async () => {
      const ask = await side();
      return (n) => abreast(inFlight, n, ask);
    },
  }),
);
