/** A node for one file of tests: what they do to it must not meet others. */
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Host } from "../../../src/spi/transport.ts";
import type { RabbitmqOptions, RabbitmqTransport } from "../../../transports/rabbitmq/mod.ts";
import { rabbitmq } from "../../../transports/rabbitmq/mod.ts";
import { eventually, realTime, type TestClock } from "../../conformance/test_clock.ts";
import { canMakeCertificates, type Certificates, makeCertificates } from "../../support/certificates.ts";
import { skipUnlessRequired } from "../../support/required.ts";
import { runtime, test } from "../../support/runner.ts";
import {
  canStartRabbitmq,
  endRabbitmqNode,
  type RabbitmqNode,
  startRabbitmqNode,
} from "../../support/servers/rabbitmq.ts";
import { Operator } from "./operator.ts";

/** A transport, and what it tells of itself. */
export interface Opening {
  readonly transport: RabbitmqTransport;
  readonly states: string[];
  /** The texts of what was amiss. */
  readonly causes: string[];
  /** The same, as errors. */
  readonly errors: Error[];
  /** Resolves when it is open. */
  readonly opened: Promise<void>;
  /** Resolves when it is open, or will never be. */
  readonly gone: Promise<void>;
}

/** The node, and what is known of it. */
export interface PrivateNode extends RabbitmqNode {
  readonly certificates: Certificates;
  /** Over TLS; it wants a certificate of its client. */
  readonly secureUrl: string;
  /** Of its management plugin. */
  readonly managementUrl: string;
  readonly operator: Operator;
  readonly clock: TestClock;
  /** A transport that begins to open. */
  prepare(options: RabbitmqOptions): Opening;
  /** Opens a transport. */
  open(options: RabbitmqOptions): Promise<Opening>;
  until(what: string, condition: () => boolean, within?: number): Promise<void>;
}

/** Runtimes may test at the same time. */
const portsApart = { deno: 0, bun: 100, node: 200 } as const;

/** Registers tests on one node, which starts with the first of them and ends with the last. */
export function privateNode(port: number): (name: string, run: (node: PrivateNode) => Promise<void>) => void {
  const skip = skipUnlessRequired(
    !canStartRabbitmq()
      ? "no RabbitMQ of Debian here: apt-get install rabbitmq-server"
      : canMakeCertificates()
      ? undefined
      : "no openssl here: apt-get install openssl",
  );
  let left = 0;
  let node: Promise<PrivateNode> | undefined;
  return (name, run) => {
    left++;
    test(`rabbitmq: ${name}`, async () => {
      try {
        await run(await (node ??= start(port + portsApart[runtime])));
      } finally {
        left--;
        if (left === 0) await (await node)?.[Symbol.asyncDispose]();
      }
    }, { skip, timeoutInMs: 180_000 });
  };
}

async function start(port: number): Promise<PrivateNode> {
  const directory = join(tmpdir(), `hero-rabbitmq-${port}`);
  mkdirSync(directory, { recursive: true });
  const certificates = makeCertificates(join(directory, "certificates"));
  const [secure, management] = [port + 1, port + 10_000];
  const options = {
    port,
    directory,
    plugins: ["rabbitmq_management", "rabbitmq_auth_mechanism_ssl", "rabbitmq_consistent_hash_exchange"],
    config: [
      `listeners.ssl.1 = 127.0.0.1:${secure}`,
      `ssl_options.cacertfile = ${certificates.ca.certFile}`,
      `ssl_options.certfile = ${certificates.server.certFile}`,
      `ssl_options.keyfile = ${certificates.server.keyFile}`,
      "ssl_options.verify = verify_peer",
      "ssl_options.fail_if_no_peer_cert = true",
      "auth_mechanisms.1 = PLAIN",
      "auth_mechanisms.2 = EXTERNAL",
      "ssl_cert_login_from = common_name",
      `management.tcp.ip = 127.0.0.1`,
      `management.tcp.port = ${management}`,
    ],
  };
  await endRabbitmqNode(options); // of a run that was broken off
  const node = await startRabbitmqNode(options);
  const managementUrl = `http://guest:guest@127.0.0.1:${management}`;
  const clock = realTime();
  const prepare = (settings: RabbitmqOptions): Opening => {
    const transport = rabbitmq({ url: node.url, heartbeat: "60s", ...settings });
    const states: string[] = [];
    const causes: string[] = [];
    const errors: Error[] = [];
    const status: Host["status"] = ({ state, cause }) => {
      states.push(state);
      if (cause === undefined) return;
      causes.push(cause.message);
      errors.push(cause);
    };
    const opened = transport.open({ bus: "test", clock, signal: new AbortController().signal, status });
    return { transport, states, causes, errors, opened, gone: opened.catch(() => {}) };
  };
  return {
    ...node,
    certificates,
    clock,
    secureUrl: `amqps://127.0.0.1:${secure}`,
    managementUrl,
    operator: new Operator(managementUrl),
    prepare,
    async open(settings) {
      const opening = prepare(settings);
      await opening.opened;
      return opening;
    },
    until: (what, condition, within) => eventually(clock, what, condition, within),
  };
}
