/** A day of the shop on servers, whose worker is killed: it balances to the cent all the same. */
import client from "postgres";
import process from "node:process";
import { balances, day } from "../examples/shop_day.ts";
import { skip as noPostgres, url as postgresUrl } from "../stores/postgres/server.ts";
import { test } from "../support/runner.ts";
import { skip as noRabbitmq, url as rabbitmqUrl } from "../transports/rabbitmq/broker.ts";

/** A database of its own on the server that tests use. */
async function inDatabase(work: (url: string) => Promise<void>): Promise<void> {
  const server = client(postgresUrl, { max: 1, onnotice: () => {} });
  const name = `orders_${process.pid}_${Math.floor(performance.timeOrigin + performance.now()).toString(36)}`;
  const own = new URL(postgresUrl);
  own.pathname = `/${name}`;
  await server.unsafe(`CREATE DATABASE ${name}`);
  try {
    await work(own.href);
  } finally {
    await server.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
    await server.end();
  }
}

test(
  "a day of the shop balances on PostgreSQL, where its queues are as well",
  () => inDatabase(async (url) => balances(await day("--store", "postgres", "--postgres", url))),
  {
    skip: noPostgres,
    timeoutInMs: 180_000,
  },
);

test("a day of the shop balances over RabbitMQ, with its store on PostgreSQL", () =>
  inDatabase(async (url) =>
    balances(
      await day("--store", "postgres", "--postgres", url, "--transport", "rabbitmq", "--rabbitmq", rabbitmqUrl),
    )
  ), { skip: noPostgres ?? noRabbitmq, timeoutInMs: 180_000 });
