/** How long is waited between two attempts to connect. */
import { assert, assertEquals } from "@std/assert";
import type { Clock } from "../../../src/spi/clock.ts";
import type { Client } from "../../../transports/rabbitmq/client.ts";
import { Connection } from "../../../transports/rabbitmq/connection.ts";
import { settingsOf } from "../../../transports/rabbitmq/options.ts";
import { test } from "../../support/runner.ts";

/** A clock on which what is waited for comes at once. */
class HastyClock implements Clock {
  readonly waits: number[] = [];
  #now = 0;

  now(): number {
    return this.#now;
  }

  at(time: number, run: () => void): () => void {
    this.waits.push(time - this.#now);
    this.#now = time;
    queueMicrotask(run);
    return () => {};
  }
}

/** Has a connection fail so many times; gives what was waited between, and with what the client was called. */
async function failing(times: number) {
  const clock = new HastyClock();
  const asked: Readonly<Record<string, unknown>>[] = [];
  const enough = Promise.withResolvers<void>();
  const client = {
    credentials: { plain: () => ({}), external: () => ({}) },
    connect: (where: object, options: object) => {
      asked.push({ ...where, ...options });
      if (asked.length < times) return Promise.reject(new Error("away"));
      enough.resolve();
      return new Promise(() => {});
    },
  } as unknown as Client; // it calls nothing else
  const host = { bus: "test", clock, signal: new AbortController().signal, status: () => {} };
  const owner = { prepare: () => Promise.resolve(), up: () => {}, down: () => {}, blocked: () => {} };
  const connection = new Connection(client, settingsOf({}), host, "publish", owner);
  connection.start();
  await enough.promise;
  await connection.close(0);
  return { waits: clock.waits, asked };
}

test("rabbitmq: a broker that is away is tried for ever: at once, then after waits that double, up to 30 s", async () => {
  const { waits } = await failing(1_002);
  // The first failure costs no wait.
  assertEquals(waits.length, 1_000);
  const jitter = 0.3;
  for (const [at, wait] of waits.entries()) {
    const middle = Math.min(30_000, 100 * 2 ** at);
    assert(wait >= middle * (1 - jitter) && wait <= Math.min(30_000, middle * (1 + jitter) + 1), `${at}: ${wait}`);
  }
});

test("rabbitmq: buses that lost their broker together do not come back together", async () => {
  const { waits } = await failing(1_002);
  const late = waits.slice(20);
  const spread = Math.max(...late) - Math.min(...late);
  assert(spread > 5_000, `All waits are within ${spread} ms`);
});

test("rabbitmq: the client is asked for sockets that do not wait for more to send, and not to reconnect", async () => {
  const { asked: [options] } = await failing(1);
  // The client reconnects by itself where it is given something of that name.
  assertEquals([options?.["noDelay"], Object.hasOwn(options ?? {}, "recovery")], [true, false]);
});
