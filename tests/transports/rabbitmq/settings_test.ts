import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigurationError, InvalidDurationError, UnsupportedError } from "../../../src/errors/configuration.ts";
import { ClosedError, DisconnectedError, TopologyError } from "../../../src/errors/transport.ts";
import { loadClient } from "../../../transports/rabbitmq/client.ts";
import { mismatchIn, toTyped, unreached } from "../../../transports/rabbitmq/errors.ts";
import { rabbitmq } from "../../../transports/rabbitmq/mod.ts";
import { settingsOf } from "../../../transports/rabbitmq/options.ts";
import { realTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";

test("rabbitmq: a URL says user, password, host, port and vhost, each unescaped", () => {
  const [node] = settingsOf({ url: "amqps://us%40er:pa%2Fss@[::1]:5679/a%2Fb" }).nodes;

  assertEquals(node, {
    secure: true,
    host: "::1",
    port: 5679,
    vhost: "a/b",
    credentials: { username: "us@er", password: "pa/ss" },
  });
});

// Case 83.
test("rabbitmq: what a URL leaves out is guest, the usual port and the vhost /", () => {
  const [plain, secure] = settingsOf({ url: ["amqp://host", "amqps://host/"] }).nodes;

  assertEquals([plain?.port, secure?.port, plain?.vhost, secure?.vhost], [5672, 5671, "/", "/"]);
  assertEquals(plain?.credentials, { username: "guest", password: "guest" });
});

test("rabbitmq: options that cannot work are refused where they are given, without the password", () => {
  for (
    const options of [
      "http://user:secret@host",
      "user:secret@host",
      "amqp://user:secret@host/vhost?heartbeat=5",
      { url: [] },
      { maxUnconfirmed: 0 },
      { maxMessageBytes: 1.5 },
      { frameMaxBytes: 8_191 },
      { queue: { maxPriority: 5, type: "quorum" } },
    ] as const
  ) {
    const error = assertThrows(() => rabbitmq(options), ConfigurationError);
    assert(!error.message.includes("secret"), error.message);
  }
  assertThrows(() => rabbitmq({ heartbeat: -1 }), InvalidDurationError);
});

test("rabbitmq: a password that is not percent-encoded is refused where the URL would mean another place", () => {
  for (const password of ["se#cret", "se/cret", "se?cret", "1#2", "1/2", "1?2", "se%cret"]) {
    const error = assertThrows(
      () => rabbitmq(`amqp://user:${password}@host`),
      ConfigurationError,
      "encodeURIComponent",
    );
    assert(!error.message.includes("cret") && !error.message.includes("2@"), error.message);
    rabbitmq(`amqp://user:${encodeURIComponent(password)}@host`);
  }
});

test("rabbitmq: a node that cannot be reached is said so, and not to be lost", () => {
  const node = { host: "broker", port: 5672, vhost: "/" };
  const error = unreached(new Error("connect ECONNREFUSED"), node);
  assertInstanceOf(error, DisconnectedError);
  assertStringIncludes(error.message, "Cannot connect to broker:5672: connect ECONNREFUSED. ");
  assertEquals(error.details, { transport: "rabbitmq", doing: "connect to broker:5672", why: "connect ECONNREFUSED" });
});

test("rabbitmq: what no deployment mends is not said to be mended by one", () => {
  const vhost = unreached(new Error("Expected ConnectionOpenOk; got <ConnectionClose channel:0>"), {
    host: "broker",
    port: 5672,
    vhost: "shop",
  });
  assertInstanceOf(vhost, TopologyError);
  assertStringIncludes(vhost.message, `"rabbitmqctl add_vhost shop"`);
  const taken = toTyped(Object.assign(new Error("in exclusive use"), { code: 403 }), "queue:a", "receive from");
  const locked = toTyped(Object.assign(new Error("RESOURCE_LOCKED"), { code: 405 }), "queue:a", "receive from");
  assertStringIncludes(taken.message, "Stop that one");
  assertStringIncludes(locked.message, "Close that connection");
  for (const { message } of [vhost, taken, locked]) assert(!message.includes("deploy"), message);
  const missing = toTyped(Object.assign(new Error("NOT_FOUND"), { code: 404 }), "queue:a", "receive from");
  assertStringIncludes(missing.message, `bus.deploy("apply")`);
});

test("rabbitmq: what would be ignored of TLS is refused", () => {
  const ca = "-----BEGIN CERTIFICATE-----";
  assertThrows(() => rabbitmq({ url: "amqp://host", tls: { ca } }), ConfigurationError, "not one of TLS");
  assertThrows(() => rabbitmq({ tls: { ca } }), ConfigurationError, "not one of TLS");
  const misspelt = { url: "amqps://host", tls: { servername: "other" } as object };
  assertThrows(() => rabbitmq(misspelt), ConfigurationError, "Write { serverName }");
  rabbitmq({ url: ["amqp://host", "amqps://host"], tls: { ca } });
});

test("rabbitmq: settings of a queue that contradict each other are refused", () => {
  for (
    const options of [
      { maxPriority: 5, type: "quorum" },
      { maxPriority: 256 },
      { maxPriority: 0 },
      { type: "classic", deliveryLimit: 5 },
      { maxPriority: 5, deliveryLimit: 5 },
      { maxLength: 0 },
      { maxLengthBytes: -1 },
      { type: "stream", messageTtl: "1h" },
      { type: "stream", singleActiveConsumer: true },
      { type: "stream", deliveryLimit: 5 },
      { type: "stream", offset: -1 },
      { offset: "first" },
      { maxAge: "1h" },
      { exclusive: true },
      { type: "classic", exclusive: true, singleActiveConsumer: true },
    ] as const
  ) assertThrows(() => rabbitmq.queue(options), ConfigurationError);
  assertThrows(() => rabbitmq.queue({ type: "lazy" as "quorum" }), UnsupportedError, "lazy");
  assertThrows(() => rabbitmq({ queue: { type: "stream" } }), ConfigurationError, "error queues");
});

test("rabbitmq: without its client, what is missing and how to install it is told", async () => {
  const cause = new Error("Cannot find package 'amqplib'");
  const error = await assertRejects(() => loadClient(() => Promise.reject(cause)), ConfigurationError, "npm install");

  assertEquals(error.cause, cause);
});

test("rabbitmq: closing ends an open that waits for a broker", async () => {
  const transport = rabbitmq("amqp://127.0.0.1:1"); // nothing listens there
  const signal = new AbortController().signal;
  const opened = assertRejects(
    () => transport.open({ bus: "test", clock: realTime(), signal, status: () => {} }),
    ClosedError,
  );
  await transport.close(0);
  await opened;
});

test("rabbitmq: a mismatch names the argument and both values, in either way the broker puts it", () => {
  const said = (text: string) =>
    Object.assign(
      new Error(
        `Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - ${text}"`,
      ),
      { code: 406 },
    );
  const type = said(
    `inequivalent arg 'x-queue-type' for queue 'a' in vhost '/': received none but current is the value 'quorum' of type 'longstr'`,
  );
  const durable = said(
    `inequivalent arg 'durable' for queue 'a' in vhost '/': received 'true' but current is 'false'`,
  );

  assert(mismatchIn(type)?.startsWith(`its argument "x-queue-type" is "quorum" there, and should be not set`));
  assert(mismatchIn(durable)?.startsWith(`its argument "durable" is "false" there, and should be "true"`));
  const typed = toTyped(type, "queue:a", "receive from");
  assertInstanceOf(typed, TopologyError);
  assert(typed.message.endsWith('changed by nobody, nor by bus.deploy("apply")'), typed.message);
});
