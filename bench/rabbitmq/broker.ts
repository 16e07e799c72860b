/** The broker that both sides use. @module */
import { connect } from "amqplib";
import { listens, usualPort } from "../../tests/support/servers/rabbitmq.ts";
import type { Requirement } from "../support/figure.ts";

/** Where it is. */
export const url: string = `amqp://guest:guest@127.0.0.1:${usualPort}`;

/** Of the queue that both sides use: durable, replicated or not. */
export type QueueType = "classic" | "quorum";

/** It runs, or the reason why what needs it is skipped. */
export const broker: Requirement = async (): Promise<string | undefined> =>
  await listens(usualPort) ? undefined : `no RabbitMQ on 127.0.0.1:${usualPort}; start it with: deno task services`;

/** Takes these queues and exchanges away, if they are there: what an earlier run has left is not measured. */
export async function remove(names: Iterable<string>): Promise<void> {
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  for (const name of names) {
    await channel.deleteQueue(name);
    await channel.deleteExchange(name);
  }
  await connection.close();
}
