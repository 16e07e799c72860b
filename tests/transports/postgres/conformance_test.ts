/** The PostgreSQL transport keeps the promises of a transport, on a real database. */
import type { Transport } from "../../../src/spi/transport.ts";
import { postgresTransport, type PostgresTransportOptions } from "../../../transports/postgres/mod.ts";
import { realTime } from "../../conformance/test_clock.ts";
import { transportConformance } from "../../conformance/transport.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { PostgresBench, skip } from "../../stores/postgres/server.ts";
import { test } from "../../support/runner.ts";

const { signal } = new AbortController();
const options: PostgresTransportOptions = { lease: "3s", pollInterval: "200ms" };

const cases = transportConformance(async () => {
  const bench = new PostgresBench();
  const clock = realTime();
  // Each has connections of its own: to each other, they are what processes are.
  const received = new Map<Transport, string[]>();
  const connect = (): Transport => {
    const where = { url: bench.url, schema: bench.schema, max: 4 };
    // What is to survive a crash is proved elsewhere: here nobody has to wait for the disk.
    const connection = { connection: { synchronous_commit: false } };
    const transport = postgresTransport({ ...where, connection }, options);
    const receive = transport.receive.bind(transport);
    const queues: string[] = [];
    received.set(transport, queues);
    transport.receive = (source, sink) => {
      queues.push(source.queue);
      return receive(source, sink);
    };
    return transport;
  };
  const operator = connect();
  await operator.open({ bus: "operator", clock, signal, status: () => {} });
  await operator.deploy(topology([]), "apply");
  await operator.close(0);
  return {
    clock,
    connect,
    tellsExpired: true,
    // Another process that had waited for the leases to end would have done the same.
    breakClaims: async (transport) => {
      const [messages, queues] = ["messages", "queues"].map((of) => `"${bench.schema}".hero_queue_${of}`);
      for (const queue of received.get(transport) ?? []) {
        await bench.sql.unsafe(
          `UPDATE ${messages} SET deliveries = deliveries + 1, leased_until = 0 WHERE place IN (SELECT place ` +
            `FROM ${messages} WHERE leased_until > 0 AND queue = (SELECT id FROM ${queues} WHERE name = $1) ` +
            `FOR UPDATE SKIP LOCKED)`,
          [queue],
        );
      }
    },
    [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
  };
});
for (const { name, run } of cases) test(`PostgreSQL transport: ${name}`, run, { skip, timeoutInMs: 120_000 });
