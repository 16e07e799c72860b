/** What a user says of the broker. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import type { Awaitable } from "../../src/values/awaitable.ts";
import { type Duration, milliseconds } from "../../src/values/duration.ts";
import type { RabbitmqQueueOptions } from "./queue_options.ts";
import { checkOptionNames, type OptionNames } from "../../src/values/option_names.ts";
import { checkTls, type RabbitmqTls } from "./tls.ts";

/** Who the bus is to the broker. */
export interface RabbitmqCredentials {
  /** The user. */
  readonly username: string;
  /** Its password. */
  readonly password: string;
}

/** How to reach the broker, and how much may be under way. */
export interface RabbitmqOptions {
  /**
   * As in `amqp://user:password@host:5672/vhost`; `amqps:` is TLS. Several are the nodes of one cluster, tried in turn.
   * Default: `amqp://localhost`.
   */
  readonly url?: string | readonly string[];
  /**
   * Asked before each attempt to connect, so that they may change. What it throws, or does not answer within
   * `connectTimeout`, is a `CredentialsError` that the bus tells of, and it is asked again like any that failed; its
   * signal aborts once the answer is not waited for any more. `"external"`: the client's certificate says it. Left out:
   * those of the URL, else guest.
   */
  readonly credentials?: ((signal: AbortSignal) => Awaitable<RabbitmqCredentials>) | "external";
  /**
   * Only for `amqps:`, and refused where no URL says that: it would be ignored. As a callback it is asked before each
   * attempt to connect, as `credentials` are, for certificates that are renewed while the process runs.
   */
  readonly tls?: RabbitmqTls | ((signal: AbortSignal) => Awaitable<RabbitmqTls>);
  /** What the broker lists the connections as. Default: the name of the bus. */
  readonly connectionName?: string;
  /** Twice this without a sign of life, and a connection is given up; 0: the system decides. Default: 10 s. */
  readonly heartbeat?: Duration;
  /**
   * How long one attempt to connect may wait for `credentials`, then for `tls`, and then for the broker. Above 0,
   * default: 10 s.
   */
  readonly connectTimeout?: Duration;
  /**
   * AMQP's `frame_max`, in bytes: larger bodies go in several frames. The broker may want less. At least 8,192, as
   * RabbitMQ 4.1 takes no less; the headers of a message may have half of it, 32 KiB at most. Default: 131,072, which is
   * the most that RabbitMQ offers unless told otherwise.
   */
  readonly frameMaxBytes?: number;
  /** How many messages may be sent and not yet confirmed; above it, senders wait. At least 1, default 2,000. */
  readonly maxUnconfirmed?: number;
  /**
   * How often the broker is asked whether the consumers that should be are there, for those whose end it did not tell.
   * Default: 30 s.
   */
  readonly checkConsumersEvery?: Duration;
  /**
   * The broker's own `consumer_timeout`: it takes back what a handler has for longer. An endpoint whose `timeout` or
   * `hold` is above it is refused. Default: 30 min, which is the broker's.
   */
  readonly consumerTimeout?: Duration;
  /** The largest body that the broker takes. Default: 16 MiB, which is what RabbitMQ 4 takes unless told otherwise. */
  readonly maxMessageBytes?: number;
  /**
   * What keeps messages that are due later. `"queues"`: 26 of them, on any broker. `"plugin"`: the one for delayed
   * messages, which keeps them on one node of a cluster alone. Left out: the plugin where the broker has it.
   */
  readonly delays?: "plugin" | "queues";
  /**
   * How answers come back. `"queue"`: to a queue that outlives a lost connection for a minute, with what was answered
   * meanwhile. `"direct"`: to a channel, a little faster; what is asked when a connection is lost fails with a
   * `DisconnectedError`. Default: `"queue"`.
   */
  readonly replies?: "queue" | "direct";
  /**
   * Where its management plugin answers, as in `http://user:password@localhost:15672`; without a user it is asked as
   * `credentials` say at the time, else as that of the first URL. With it, `bus.deploy` tells of missing and superfluous
   * bindings, which AMQP does not.
   */
  readonly management?: string;
  /** Settings of all queues; those of an endpoint win. Not of what is one queue's own: streams, exclusive consumers. */
  readonly queue?: Omit<RabbitmqQueueOptions, "offset" | "maxAge" | "exclusive" | "bind" | "partitions">;
}

/** One node of the broker. */
export interface Node {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  readonly vhost: string;
  readonly credentials: RabbitmqCredentials;
}

/** {@linkcode RabbitmqOptions}, checked, with their defaults. */
export interface Settings {
  readonly nodes: readonly [Node, ...Node[]];
  readonly credentials: RabbitmqOptions["credentials"];
  readonly tls: NonNullable<RabbitmqOptions["tls"]>;
  readonly connectionName: string | undefined;
  readonly heartbeatInSeconds: number;
  readonly connectTimeoutInMs: number;
  readonly frameMaxBytes: number;
  readonly maxUnconfirmed: number;
  readonly maxMessageBytes: number;
  readonly checkConsumersEveryInMs: number;
  readonly consumerTimeoutInMs: number;
  readonly management: URL | undefined;
  readonly delays: RabbitmqOptions["delays"];
  readonly replies: "queue" | "direct";
  readonly queue: RabbitmqQueueOptions;
}

/** From RabbitMQ 4.1 on a smaller `frame_max` is refused, three seconds later and without a word. */
const leastFrameMax = 8_192;

/** What {@linkcode RabbitmqOptions} may name. */
const optionNames: OptionNames<RabbitmqOptions> = {
  url: true,
  credentials: true,
  tls: true,
  connectionName: true,
  heartbeat: true,
  connectTimeout: true,
  frameMaxBytes: true,
  maxUnconfirmed: true,
  checkConsumersEvery: true,
  consumerTimeout: true,
  maxMessageBytes: true,
  delays: true,
  replies: true,
  management: true,
  queue: true,
};

/**
 * Checks what was given.
 *
 * @throws {ConfigurationError} if it cannot work
 * @throws {InvalidDurationError} if a duration is none
 */
export function settingsOf(options: RabbitmqOptions): Settings {
  checkOptionNames(options, optionNames, "rabbitmq()");
  const urls = typeof options.url === "string" ? [options.url] : options.url ?? ["amqp://localhost"];
  const [first, ...others] = urls.map(nodeOf);
  if (first === undefined) {
    throw new ConfigurationError(`Cannot connect to RabbitMQ: { url } is an empty list. Give at least one URL`);
  }
  return {
    nodes: [first, ...others],
    credentials: credentialsOf(options.credentials),
    tls: options.tls === undefined ? {} : tlsOf(options.tls, [first, ...others]),
    connectionName: options.connectionName,
    heartbeatInSeconds: Math.ceil(milliseconds(options.heartbeat ?? "10s", "{ heartbeat } of rabbitmq()") / 1_000),
    connectTimeoutInMs: atLeast(
      1, // none would be one without end
      "connectTimeout",
      milliseconds(options.connectTimeout ?? "10s", "{ connectTimeout } of rabbitmq()"),
    ),
    frameMaxBytes: atLeast(leastFrameMax, "frameMaxBytes", options.frameMaxBytes ?? 2 ** 17),
    maxUnconfirmed: atLeast(1, "maxUnconfirmed", options.maxUnconfirmed ?? 2_000),
    maxMessageBytes: atLeast(1, "maxMessageBytes", options.maxMessageBytes ?? 2 ** 24),
    checkConsumersEveryInMs: atLeast(
      1,
      "checkConsumersEvery",
      milliseconds(options.checkConsumersEvery ?? "30s", "{ checkConsumersEvery } of rabbitmq()"),
    ),
    consumerTimeoutInMs: atLeast(
      1,
      "consumerTimeout",
      milliseconds(options.consumerTimeout ?? "30m", "{ consumerTimeout } of rabbitmq()"),
    ),
    delays: options.delays,
    replies: options.replies ?? "queue",
    management: options.management === undefined ? undefined : managementOf(options.management),
    queue: options.queue ?? {},
  };
}

function atLeast(least: number, name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new ConfigurationError(`Cannot use ${value} as { ${name} } of rabbitmq(). Give a whole number from ${least}`);
}

function tlsOf(tls: NonNullable<RabbitmqOptions["tls"]>, nodes: readonly Node[]): Settings["tls"] {
  if (typeof tls !== "function") checkTls(tls);
  if (nodes.some(({ secure }) => secure)) return tls;
  throw new ConfigurationError(
    `Cannot use { tls } of rabbitmq(): its URL is not one of TLS. Give one as in "amqps://host", or leave { tls } out`,
  );
}

function credentialsOf(credentials: RabbitmqOptions["credentials"]): RabbitmqOptions["credentials"] {
  if (credentials === undefined || credentials === "external" || typeof credentials === "function") return credentials;
  throw new ConfigurationError(
    `Cannot connect to RabbitMQ: { credentials } is neither a function nor "external". ` +
      `Give a function that gives { username, password }, or say both in the URL`,
  );
}

function managementOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new ConfigurationError(
    `Cannot ask RabbitMQ's management plugin: { management } is no URL. Give one as in "http://localhost:15672"`,
  );
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** The password must not be in an error, so the URL is not shown. */
function nodeOf(text: string): Node {
  const refuse = (why: string): never => {
    throw new ConfigurationError(
      `Cannot connect to RabbitMQ: ${why}. Give a URL as in "amqp://user:password@host:5672/vhost"`,
    );
  };
  const encode = "Write user, password and vhost with encodeURIComponent()";
  if (!URL.canParse(text)) return refuse(`its URL is none. ${encode}`);
  const url = new URL(text);
  if (url.protocol !== "amqp:" && url.protocol !== "amqps:") {
    return refuse(`"${url.protocol}" is neither "amqp:" nor "amqps:"`);
  }
  if (url.search !== "" && !url.search.includes("@")) {
    return refuse(`its URL has parameters, which are options of rabbitmq() instead`);
  }
  const secure = url.protocol === "amqps:";
  const named = url.username !== "" || url.password !== "";
  const path = url.pathname.replace(/^\//, "");
  // A password that is cut short begins what is taken for a host.
  if (url.search !== "" || url.hash !== "" || !isEncoded(text) || (!named && path.includes("@"))) {
    return refuse(`its URL cannot be read. ${encode}`);
  }
  return {
    secure,
    host: url.hostname.replace(/^\[|\]$/g, "") || "localhost",
    port: url.port === "" ? secure ? 5671 : 5672 : Number(url.port),
    vhost: path === "" ? "/" : decodeURIComponent(path),
    credentials: {
      username: named ? decodeURIComponent(url.username) : "guest",
      password: named ? decodeURIComponent(url.password) : "guest",
    },
  };
}
