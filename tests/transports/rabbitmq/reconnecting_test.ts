/** How long is waited between two attempts to connect. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { EventEmitter } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { DisconnectedError } from "../../../src/errors/transport.ts";
import { macrotask } from "../../../src/runtime/macrotask.ts";
import type { Clock } from "../../../src/spi/clock.ts";
import { Connection } from "../../../transports/rabbitmq/connection.ts";
import { rabbitmq, type RabbitmqOptions } from "../../../transports/rabbitmq/mod.ts";
import { settingsOf } from "../../../transports/rabbitmq/options.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { test } from "../../support/runner.ts";
import { type Asked, fakeClient, FakeModel } from "./fake_client.ts";

/** A clock on which what is waited for comes at once. */
class HastyClock implements Clock {
  readonly waits: number[] = [];
  #now = 0;

  now(): number {
    return this.#now;
  }

  pass(ms: number): void {
    this.#now += ms;
  }

  at(time: number, run: () => void): () => void {
    this.waits.push(time - this.#now);
    this.#now = time;
    queueMicrotask(run);
    return () => {};
  }
}

/** A connection on a client that fails or connects as it is told to; notes with what it is called. */
function connecting(clock: Clock, connect: (attempt: number) => Promise<unknown>, options: RabbitmqOptions = {}) {
  const asked: Asked[] = [];
  const client = fakeClient((each, attempt) => {
    asked.push(each);
    return connect(attempt);
  });
  const host = { bus: "test", clock, signal: new AbortController().signal, status: () => {} };
  const owner = { prepare: () => Promise.resolve(), up: () => {}, down: () => {}, blocked: () => {} };
  const connection = new Connection(client, settingsOf(options), host, "publish", owner);
  connection.start();
  return { connection, asked };
}

/** Has a connection fail so many times; gives what was waited between, and with what the client was called. */
async function failing(times: number, options: RabbitmqOptions = {}) {
  const clock = new HastyClock();
  const enough = Promise.withResolvers<void>();
  const { connection, asked } = connecting(clock, (attempt) => {
    if (attempt < times) return Promise.reject(new Error("away"));
    enough.resolve();
    return new Promise(() => {});
  }, options);
  await enough.promise;
  await connection.close(0);
  return { waits: clock.waits, asked };
}

/** What was waited in all, once each of some attempts has connected, lived for so long, and ended. */
async function living(lives: readonly number[]): Promise<readonly number[]> {
  const clock = new HastyClock();
  const over = Promise.withResolvers<void>();
  const { connection } = connecting(clock, (attempt) => {
    const life = lives[attempt - 1];
    if (life === undefined) {
      over.resolve();
      return new Promise(() => {});
    }
    const model = new FakeModel();
    macrotask(() => { // it is up by then: that takes promises alone
      clock.pass(life);
      model.emit("close", new Error("gone"));
    });
    return Promise.resolve(model);
  });
  await over.promise;
  await connection.close(0);
  return clock.waits;
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

test("rabbitmq: what breaks as soon as it is there is tried later and later, and at once after a long life", async () => {
  const within = (wait: number | undefined, middle: number) =>
    assert(wait !== undefined && wait >= middle * 0.7 && wait <= middle * 1.3 + 1, `${wait} is not about ${middle}`);
  const [first, second, third, ...none] = await living([0, 100, 4_999, 0]);
  within(first, 100);
  within(second, 200);
  within(third, 400);
  assertEquals(none, []);
  // A life of five seconds, and the next failures are the first ones again.
  const [before, after, ...more] = await living([0, 0, 5_000, 0]);
  within(before, 100);
  within(after, 100);
  assertEquals(more, []);
});

test("rabbitmq: nodes are tried in turn, each as its own URL says", async () => {
  const url = ["amqp://one:1@first:1111/a", "amqps://two:2@second/b%2Fc%25", "amqp://third"];
  const { asked } = await failing(4, { url });
  const seen = asked.map(({ protocol, hostname, port, vhost, credentials }) =>
    Object.values({ protocol, hostname, port, vhost: decodeURIComponent(String(vhost)), ...credentials as object })
  );
  const first = ["amqp", "first", 1111, "a", "one", "1"];
  assertEquals(seen, [
    first,
    ["amqps", "second", 5671, "b/c%", "two", "2"],
    ["amqp", "third", 5672, "/", "guest", "guest"],
    first,
  ]);
});

test("rabbitmq: connections are called as the bus is, and what they are for, unless a name is given", async () => {
  const { asked: [usual] } = await failing(1);
  assertEquals(usual?.["clientProperties"], { connection_name: "test (publish)" });
  const { asked: [named] } = await failing(1, { connectionName: "other" });
  assertEquals(named?.["clientProperties"], { connection_name: "other (publish)" });
});

test("rabbitmq: a host that takes the connection and says nothing is given up in time, and the next is tried", async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket.on("error", () => {})));
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as AddressInfo; // it listens on a port
  const transport = rabbitmq({ url: [`amqp://127.0.0.1:${port}`, "amqp://127.0.0.1:1"], connectTimeout: 100 });
  const causes: Error[] = [];
  const opened = transport.open({
    bus: "test",
    clock: realTime(),
    signal: new AbortController().signal,
    status: ({ cause }) => void (cause && causes.push(cause)),
  }).catch(() => {});
  const told = (node: string, why: string) =>
    causes.some(({ message }) => message.includes(`connect to 127.0.0.1:${node}`) && message.includes(why));
  await eventually(realTime(), "both", () => told(String(port), "ETIMEDOUT") && told("1", "ECONNREFUSED"));
  for (const cause of causes) assertInstanceOf(cause, DisconnectedError);
  await transport.close(0);
  await opened;
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});

test("rabbitmq: who closes tries no more, leaves no timer, and cuts what is connected too late", async () => {
  const clock = new FakeClock();
  const away = connecting(clock, () => Promise.reject(new Error("away")));
  await eventually(realTime(), "the wait behind the second", () => clock.waiting === 1);
  await away.connection.close(clock.now());
  assertEquals([clock.waiting, away.asked.length], [0, 2]);

  const late = Promise.withResolvers<FakeModel>();
  const { connection, asked } = connecting(clock, () => late.promise);
  await eventually(realTime(), "the attempt", () => asked.length === 1);
  await connection.close(clock.now());
  const model = new FakeModel();
  late.resolve(model);
  await eventually(realTime(), "its end", () => model.cuts > 0);
  clock.advance(60_000);
  await eventually(realTime(), "a turn", () => true);
  assertEquals([asked.length, away.asked.length, connection.ready], [1, 2, false]);
});

test("rabbitmq: whoever asks what the broker has leaves no connection behind", async () => {
  const models: FakeModel[] = [];
  const { connection } = connecting(new FakeClock(), () => {
    const model = Object.assign(new FakeModel(), {
      createChannel: () =>
        Promise.resolve(Object.assign(new EventEmitter(), {
          assertExchange: () => Promise.resolve(),
          deleteExchange: () => Promise.resolve(),
        })),
    });
    models.push(model);
    return Promise.resolve(model);
  });
  await eventually(realTime(), "it", () => connection.ready);
  assertEquals(await connection.knows("x-delayed-message"), true);
  assertEquals([connection.ready, models.map(({ cuts }) => cuts)], [true, [0, 1]]);
  await connection.close(0);
});

test("rabbitmq: the client is asked for sockets that do not wait for more to send, and not to reconnect", async () => {
  const { asked: [options] } = await failing(1);
  // The client reconnects by itself where it is given something of that name.
  assertEquals([options?.["noDelay"], Object.hasOwn(options ?? {}, "recovery")], [true, false]);
});
