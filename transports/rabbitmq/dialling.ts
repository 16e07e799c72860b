/** One attempt to connect to one node. @module */
import type { ChannelModel } from "amqplib";
import type { Clock } from "../../src/spi/clock.ts";
import type { Client } from "./client.ts";
import { askCredentials, askTls, type Question } from "./credentials.ts";
import { unreached } from "./errors.ts";
import type { Node, Settings } from "./options.ts";
import { secured } from "./tls.ts";

/** With what, and as whom. */
export interface Dialling {
  readonly client: Client;
  readonly settings: Settings;
  readonly clock: Clock;
  /** What the broker lists the connection as. */
  readonly name: string;
  /** Ends the wait for what is asked of callbacks. */
  readonly signal: AbortSignal;
}

/**
 * Connects, once it is known as whom and by which certificates.
 *
 * @throws {CredentialsError} if those cannot be had
 * @throws {AccessRefusedError} if the broker refuses the user
 * @throws {TopologyError} if it does not open the vhost
 * @throws {DisconnectedError} if it cannot be reached
 */
export async function dial(node: Node, { client, settings, clock, name, signal }: Dialling): Promise<ChannelModel> {
  const { connectTimeoutInMs: limitInMs, heartbeatInSeconds, frameMaxBytes } = settings;
  const question = (ask: Question["ask"]): Question => ({
    ask,
    at: `${node.host}:${node.port}`,
    limitInMs,
    clock,
    signal,
  });

  const login = async () => {
    if (settings.credentials === "external") return client.credentials.external();
    const { username, password } = settings.credentials === undefined
      ? node.credentials
      : await askCredentials(question(settings.credentials));
    return client.credentials.plain(username, password);
  };
  const certificates = async () => {
    if (!node.secure) return {};
    return secured(typeof settings.tls === "function" ? await askTls(question(settings.tls)) : settings.tls);
  };

  const credentials = await login();
  const tls = await certificates();
  try {
    return await client.connect({
      protocol: node.secure ? "amqps" : "amqp",
      hostname: node.host,
      port: node.port,
      vhost: encodeURIComponent(node.vhost), // the client decodes it
      heartbeat: heartbeatInSeconds,
      frameMax: frameMaxBytes,
    }, {
      noDelay: true, // else a delayed acknowledgement of TCP adds 40 ms, see https://github.com/amqp-node/amqplib
      timeout: limitInMs,
      credentials,
      clientProperties: { connection_name: name },
      ...tls,
    });
  } catch (error) {
    throw unreached(error, node);
  }
}
