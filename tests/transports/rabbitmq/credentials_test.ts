/** A callback for credentials that does not do what it should: it holds up nothing, and what is wrong is told. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { createBus } from "../../../src/bus/create_bus.ts";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { StartTimeoutError } from "../../../src/errors/lifecycle.ts";
import { CredentialsError } from "../../../src/errors/transport.ts";
import type { Clock } from "../../../src/spi/clock.ts";
import type { Client } from "../../../transports/rabbitmq/client.ts";
import { Connection } from "../../../transports/rabbitmq/connection.ts";
import { event } from "../../../src/contracts/event.ts";
import { HeroError } from "../../../src/errors/hero_error.ts";
import {
  rabbitmq,
  type RabbitmqCredentials,
  type RabbitmqOptions,
  type RabbitmqTls,
} from "../../../transports/rabbitmq/mod.ts";
import { settingsOf } from "../../../transports/rabbitmq/options.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { test } from "../../support/runner.ts";
import { unhandledDuring } from "../../support/unhandled.ts";
import { fakeClient } from "./fake_client.ts";
import { rig } from "./rig.ts";

const Opened = event<object>("credentials.opened");

type Ask = Exclude<RabbitmqOptions["credentials"], "external" | undefined>;

/** A callback as JavaScript may write it. */
const anything = (ask: (signal: AbortSignal) => unknown): Ask => ask as Ask;
const never = (): Promise<never> => new Promise(() => {});

/** A connection whose client only notes with what it was called, and never connects. */
function connecting(credentials: Ask, clock: Clock = new FakeClock()) {
  const dialled: unknown[] = [];
  const client = fakeClient(({ credentials }) => {
    const { username, password } = credentials as RabbitmqCredentials;
    dialled.push(`${username}:${password}`);
    return never();
  });
  return { dialled, ...connectingBy(client, { url: "amqp://rabbit.example", credentials }, clock) };
}

/** What it tells of itself. */
function connectingBy(client: Client, options: RabbitmqOptions, clock: Clock) {
  const causes: Error[] = [];
  const host = { bus: "test", clock, signal: new AbortController().signal, status: () => {} };
  const owner = {
    prepare: () => Promise.resolve(),
    up: () => {},
    down: (cause: Error) => void causes.push(cause),
    blocked: () => {},
  };
  const settings = settingsOf({ ...options, connectTimeout: "3s" });
  const connection = new Connection(client, settings, host, "publish", owner);
  connection.start();
  return { connection, causes };
}

/** One whose callback never answers, with the signals that it was given. */
function unanswered() {
  const clock = new FakeClock();
  const signals: AbortSignal[] = [];
  const silent = (signal: AbortSignal): Promise<never> => {
    signals.push(signal);
    return never();
  };
  return { clock, signals, ...connecting(silent, clock) };
}

/** Waits without letting the connection's own time pass. */
function until(what: string, condition: () => boolean): Promise<void> {
  return eventually(realTime(), what, condition);
}

test("rabbitmq: credentials that never come are given up after { connectTimeout }, told of, and asked for again", async () => {
  const { clock, signals, connection, dialled, causes } = unanswered();
  assertEquals(signals.length, 1);
  clock.advance(2_999);
  await until("a turn", () => true);
  assertEquals([causes.length, signals[0]?.aborted], [0, false]);
  clock.advance(1);
  await until("the failure", () => causes.length === 1);
  const [error] = causes;
  assertInstanceOf(error, CredentialsError);
  assertEquals(error.code, "HERO_CREDENTIALS");
  assertEquals(error.details, {
    transport: "rabbitmq",
    node: "rabbit.example:5672",
    asked: "credentials",
    why: "did not come within 3000 ms",
  });
  for (const said of [`"rabbitmq" to rabbit.example:5672`, "did not come within 3000 ms", "raise that"]) {
    assertStringIncludes(error.message, said);
  }
  assertEquals(signals[0]?.aborted, true);
  // As with any attempt that failed: at once after the first, and later and later from then on.
  await until("the second", () => signals.length === 2);
  clock.advance(3_000);
  await until("the second failure", () => causes.length === 2);
  assertEquals(signals.length, 2);
  clock.advance(130);
  await until("the third", () => signals.length === 3);
  assertEquals(dialled, []);
  await connection.close(clock.now());
  await until("no timer", () => clock.waiting === 0);
});

test("rabbitmq: credentials that come, or fail, too late are not used, and fail nothing", async () => {
  const clock = new FakeClock();
  const answers: PromiseWithResolvers<{ username: string; password: string }>[] = [];
  const { connection, dialled, causes } = connecting(() => {
    const answer = Promise.withResolvers<{ username: string; password: string }>();
    answers.push(answer);
    return answer.promise;
  }, clock);
  const unhandled = await unhandledDuring(async () => {
    clock.advance(3_000);
    await until("the second", () => answers.length === 2);
    clock.advance(3_000);
    await until("the second failure", () => causes.length === 2);
    clock.advance(130);
    await until("the third", () => answers.length === 3);
    answers[0]?.resolve({ username: "late", password: "late" });
    answers[1]?.reject(new Error("late"));
    answers[2]?.resolve({ username: "now", password: "then" });
    await until("the dialling", () => dialled.length > 0);
  });
  assertEquals([dialled, causes.length, unhandled], [["now:then"], 2, []]);
  assertEquals(clock.waiting, 0);
  await connection.close(clock.now());
});

for (
  const [what, ask, why] of [
    ["are thrown at", () => {
      throw new Error("ACCESS_REFUSED by the vault");
    }, "could not be had: ACCESS_REFUSED by the vault"],
    ["are rejected", () => Promise.reject(new Error("The vault is sealed")), "could not be had: The vault is sealed"],
    ["are refused without an error", () => Promise.reject("sealed"), "could not be had: sealed"],
    ["are left out", () => {}, "came as undefined"],
    ["are null", () => Promise.resolve(null), "came as null"],
    ["are a text", () => "guest:secret", "came as string"],
    ["have no user", () => ({ password: "secret" }), "came without a { username } that is a string"],
    ["have no password", () => ({ username: "guest" }), "came without a { password } that is a string"],
    [
      "have a password in bytes",
      () => ({ username: "guest", password: new Uint8Array([1]) }),
      "without a { password }",
    ],
  ] as const
) {
  test(`rabbitmq: credentials that ${what} are told of without what came, and asked for again`, async () => {
    const clock = new FakeClock();
    let asked = 0;
    const { connection, dialled, causes } = connecting(
      anything(() => ++asked === 1 ? ask() : { username: "guest", password: "right" }),
      clock,
    );
    await until("the dialling", () => dialled.length > 0);
    assertEquals([dialled, causes.length], [["guest:right"], 1]);
    const [error] = causes;
    assertInstanceOf(error, CredentialsError);
    assertStringIncludes(error.message, why);
    assert(!error.message.includes("secret"), error.message);
    await connection.close(clock.now());
  });
}

test("rabbitmq: certificates by a callback are asked for before each attempt, and used as given", async () => {
  const dialled: unknown[] = [];
  const client = fakeClient(({ ca, cert, key, servername }, attempt) => {
    dialled.push({ ca, cert, key, servername });
    return attempt === 1 ? Promise.reject(new Error("The certificate has expired")) : never();
  });
  let asked = 0;
  const tls = () => Promise.resolve({ ca: ["a", "b"], cert: `cert ${++asked}`, key: "key", serverName: "rabbit" });
  const { connection, causes } = connectingBy(client, { url: "amqps://rabbit.example", tls }, new FakeClock());
  await until("the second attempt", () => dialled.length === 2);
  const rest = { ca: ["a", "b"], key: "key", servername: "rabbit" };
  assertEquals(dialled, [{ ...rest, cert: "cert 1" }, { ...rest, cert: "cert 2" }]);
  assertEquals(causes.length, 1);
  await connection.close(0);
});

for (
  const [what, ask, why] of [
    ["are thrown at", () => Promise.reject(new Error("The vault is sealed")), "could not be had: The vault is sealed"],
    ["are a text", () => "-----BEGIN secret", "came as string"],
    ["have a name that there is not", () => ({ certificate: "secret" }), "Cannot use { certificate } for { tls }"],
  ] as const
) {
  test(`rabbitmq: certificates that ${what} are told of without what came, and asked for again`, async () => {
    const dialled: unknown[] = [];
    const client = fakeClient(({ cert }) => {
      dialled.push(cert);
      return never();
    });
    let asked = 0;
    const tls = (() => ++asked === 1 ? ask() : { cert: "right" }) as () => RabbitmqTls;
    const { connection, causes } = connectingBy(client, { url: "amqps://rabbit.example", tls }, new FakeClock());
    await until("the dialling", () => dialled.length > 0);
    assertEquals([dialled, causes.length], [["right"], 1]);
    const [error] = causes;
    assertInstanceOf(error, CredentialsError);
    assertEquals(error.details["asked"], "tls");
    for (const said of ["its certificates", why, "The callback { tls }", "{ ca, cert, key }"]) {
      assertStringIncludes(error.message, said);
    }
    assert(!error.message.includes("secret"), error.message);
    await connection.close(0);
  });
}

test("rabbitmq: certificates that never come are given up after { connectTimeout }, and of no node without TLS", async () => {
  const clock = new FakeClock();
  const dialled: unknown[] = [];
  const client = fakeClient(({ protocol }) => {
    dialled.push(protocol);
    return never();
  });
  const url = ["amqps://rabbit.example", "amqp://rabbit.example"];
  const { connection, causes } = connectingBy(client, { url, tls: never }, clock);
  await until("a timer", () => clock.waiting === 1);
  clock.advance(3_000);
  await until("the second node", () => dialled.length === 1);
  assertEquals([dialled, causes.length], [["amqp"], 1]);
  assertStringIncludes(causes[0]?.message ?? "", "its certificates did not come within 3000 ms");
  await connection.close(clock.now());
});

test("rabbitmq: who closes does not wait for credentials, and leaves no timer", async () => {
  const { clock, signals, connection, dialled, causes } = unanswered();
  await connection.close(clock.now());
  await until("a turn", () => true);
  assertEquals([clock.waiting, signals.map(({ aborted }) => aborted), causes, dialled], [0, [true], [], []]);
});

test("rabbitmq: credentials that are neither asked for nor external are refused where they are given", () => {
  const credentials = { username: "guest", password: "secret" } as unknown as Ask;
  const error = assertThrows(() => rabbitmq({ credentials }), ConfigurationError, "{ credentials } is neither");
  assert(!error.message.includes("secret"), error.message);
  assertThrows(() => rabbitmq({ connectTimeout: 0 }), ConfigurationError, "{ connectTimeout }");
});

test("rabbitmq: a bus whose credentials never come tells its observers, its health and who bounds the start", async () => {
  const clock = new FakeClock();
  const bus = createBus({ name: "locked-out", clock, transport: rabbitmq({ credentials: never }) });
  const told = Promise.withResolvers<string>();
  bus.observe({ status: ({ name, state, cause }) => told.resolve(`${name} ${state}: ${cause?.message}`) });
  const abort = new AbortController();
  const starting = assertRejects(() => bus.start({ signal: abort.signal }), StartTimeoutError);
  await until("both connections to ask", () => clock.waiting >= 2);
  clock.advance(10_000);
  assertStringIncludes(await told.promise, "transport rabbitmq down: Cannot connect");
  const reason = bus.health().parts.find(({ name }) => name === "transport rabbitmq")?.reason;
  assertStringIncludes(reason ?? "", "did not come within 10000 ms");
  abort.abort(new DOMException("The operation timed out.", "TimeoutError"));
  const error = await starting;
  assertInstanceOf(error.cause, CredentialsError);
  assertStringIncludes(error.message, "did not come within 10000 ms");
});

test("rabbitmq: a bus that stops while it waits for credentials does so without them", async () => {
  const clock = new FakeClock();
  const bus = createBus({ name: "locked-out", clock, transport: rabbitmq({ credentials: never }) });
  const starting = bus.start().then(() => "started", () => "not started");
  await until("both connections to ask", () => clock.waiting >= 2);
  await bus.stop({ deadline: "5s" }); // no time passes
  assertEquals(await starting, "not started");
  assertEquals(clock.waiting, 0);
});

rig(
  "a bus whose credentials stop coming stops by its deadline, and fails what waits to be published",
  async ({ bench }) => {
    await bench.prepare(1);
    let answers = true;
    let asked = 0;
    const transport = bench.connect({
      credentials: () => {
        asked++;
        return answers ? { username: "guest", password: "guest" } : never();
      },
    });
    const bus = createBus({ name: "locked-out", transport });
    await bus.start();
    answers = false;
    await bench.wire(transport).cut();
    await until("both connections to ask again", () => asked >= 4);
    const publishing = assertRejects(() => bus.publish(Opened, {}), HeroError);
    const began = performance.now();
    await bus.stop({ deadline: "300ms" });
    assert(performance.now() - began < 2_300, `Stopping took ${performance.now() - began} ms`);
    const { code } = await publishing;
    assert(["HERO_CLOSED", "HERO_DISCONNECTED"].includes(code), code);
  },
);
