/** How a broker is reached, and reached again. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { createBus } from "../../../src/bus/create_bus.ts";
import { StartTimeoutError } from "../../../src/errors/lifecycle.ts";
import { AccessRefusedError, DisconnectedError, TopologyError } from "../../../src/errors/transport.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { type PrivateNode, privateNode } from "./private_node.ts";
import { rabbitmq, type RabbitmqTls, type RabbitmqTransport } from "../../../transports/rabbitmq/mod.ts";
import { frame, topology } from "../../conformance/transport/trial.ts";

const onNode = privateNode(5710);

/** Sends one message to a queue of its own, which it makes. */
async function works(transport: RabbitmqTransport, body = "a"): Promise<void> {
  await transport.deploy(topology(["hero-works"]), "apply");
  await send(transport, body);
}

function send(transport: RabbitmqTransport, body = "a"): Promise<void> {
  return new Promise((resolve, reject) => {
    void transport.send([{
      frame: frame(body),
      messageId: "a",
      to: "queue:hero-works",
      alsoTo: [],
      mandatory: true,
      settled: (error) => error === undefined ? resolve() : reject(error),
    }]);
  });
}

/** What the broker lists of its connections. */
async function connections(node: PrivateNode, ...columns: readonly string[]): Promise<string> {
  return await node.control("-q", "list_connections", ...columns);
}

onNode("over TLS, with a certificate of its own, by user and password", async (node) => {
  const { ca, client } = node.certificates;
  const { transport } = await node.open({
    url: node.secureUrl,
    tls: { ca: ca.cert, cert: client.cert, key: client.key },
  });
  await works(transport);
  const listed = await connections(node, "ssl", "peer_cert_subject");
  assert(listed.includes("true\tCN=hero-client"), listed);
  await transport.close(node.clock.now() + 1_000);
});

onNode("the client's certificate can say who it is", async (node) => {
  await node.operator.user("hero-client", "unused");
  await node.operator.permit("hero-client");
  const { ca, client } = node.certificates;
  const { transport } = await node.open({
    url: node.secureUrl,
    credentials: "external",
    tls: { ca: [ca.cert], cert: client.cert, key: client.key },
  });
  await works(transport);
  assert((await connections(node, "user")).includes("hero-client"));
  await transport.close(node.clock.now() + 1_000);
});

onNode("the client's key may be encrypted, and the broker's authority one of several", async (node) => {
  const { ca, server, client, encryptedKey } = node.certificates;
  const { transport } = await node.open({
    url: node.secureUrl,
    tls: { ca: [server.cert, ca.cert], cert: client.cert, key: encryptedKey, passphrase: "secret" },
  });
  await works(transport);
  await transport.close(node.clock.now() + 1_000);
});

onNode("certificates that are renewed are those of the next connection", async (node) => {
  const { ca, client } = node.certificates;
  let renewed = false;
  const { transport, states, errors, opened } = node.prepare({
    url: node.secureUrl,
    tls: () => renewed ? { ca: ca.cert, cert: client.cert, key: client.key } : { ca: ca.cert },
  });
  await node.until("the refusal", () => errors.length > 0 || states.includes("up"));
  assertEquals(states.includes("up"), false);
  renewed = true;
  await opened;
  await works(transport);
  await transport.close(node.clock.now() + 1_000);
});

/** Begins to open, and sees that it is refused, with an error of the library that names the node. */
async function refused(node: PrivateNode, tls: RabbitmqTls): Promise<string> {
  const { transport, states, errors, gone } = node.prepare({ url: node.secureUrl, tls });
  await node.until("the refusal", () => errors.length > 0 || states.includes("up"));
  const [error] = errors;
  assertInstanceOf(error, DisconnectedError, `It is ${states}`);
  assertStringIncludes(error.message, `connect to ${new URL(node.secureUrl).host}`);
  await transport.close(node.clock.now());
  await gone;
  return error.message;
}

onNode("a certificate of an authority that is not trusted is refused, and told of", async (node) => {
  const { client } = node.certificates;
  await refused(node, { cert: client.cert, key: client.key });
});

onNode("a client that shows no certificate to a broker that wants one is refused, and told of", async (node) => {
  await refused(node, { ca: node.certificates.ca.cert });
});

onNode("the broker's certificate must have the name that is given, whatever the host is called", async (node) => {
  const { ca, client } = node.certificates;
  const tls = { ca: ca.cert, cert: client.cert, key: client.key };
  await refused(node, { ...tls, serverName: "elsewhere.example" });
  // A way to this machine that its certificate does not name.
  const url = node.secureUrl.replace("127.0.0.1", "0.0.0.0");
  const unnamed = node.prepare({ url, tls });
  await node.until("the refusal", () => unnamed.errors.length > 0 || unnamed.states.includes("up"));
  assertInstanceOf(unnamed.errors[0], DisconnectedError, `It is ${unnamed.states}`);
  await unnamed.transport.close(node.clock.now());
  await unnamed.gone;
  const { transport } = await node.open({ url, tls: { ...tls, serverName: "localhost" } });
  await works(transport);
  await transport.close(node.clock.now() + 1_000);
});

onNode("of several hosts the next is tried where one is dead, and again when its connections break", async (node) => {
  const proxy = await TcpProxy.to(node.port);
  const url = ["amqp://127.0.0.1:1", `amqp://127.0.0.1:${proxy.port}`, node.url];
  const { transport } = await node.open({ url });
  await works(transport);
  await proxy.refuse();
  await send(transport);
  await node.until("both connections", () => transport.counts.connections === 2, 30_000);
  await works(transport);
  await transport.close(node.clock.now() + 1_000);
  await proxy[Symbol.asyncDispose]();
});

onNode(
  "a bus that starts with a wrong password tells its observers at once, and who bounds the start",
  async (node) => {
    const bus = createBus({
      name: "intruder",
      transport: rabbitmq({
        url: node.url,
        credentials: () => Promise.resolve({ username: "guest", password: "wrong" }),
      }),
    });
    const told: string[] = [];
    const refused = Promise.withResolvers<void>();
    bus.observe({
      status: ({ name, state, cause }) => {
        told.push(`${name} ${state}: ${cause?.message}`);
        refused.resolve();
      },
    });
    const abort = new AbortController();
    const starting = assertRejects(() => bus.start({ signal: abort.signal }), StartTimeoutError);
    await refused.promise;
    assertStringIncludes(told[0] ?? "", "transport rabbitmq down: Cannot");
    assertStringIncludes(told[0] ?? "", "access was refused (Login was refused");
    const reason = bus.health().parts.find(({ name }) => name === "transport rabbitmq")?.reason;
    assertStringIncludes(reason ?? "", "Check the bus' user and password");
    abort.abort(new DOMException("The operation timed out.", "TimeoutError"));
    const error = await starting;
    assert(error.cause instanceof AccessRefusedError);
    assertStringIncludes(error.message, "Check the bus' user and password");
  },
);

onNode("credentials are asked for at each connect, so that a password may change", async (node) => {
  await node.operator.user("rotating", "first");
  await node.operator.permit("rotating");
  let password = "first";
  let asked = 0;
  const proxy = await TcpProxy.to(node.port);
  const { transport, states, causes } = await node.open({
    url: `amqp://127.0.0.1:${proxy.port}`,
    credentials: () => {
      asked++;
      return Promise.resolve({ username: "rotating", password });
    },
  });
  assertEquals(asked, 2);
  await node.operator.user("rotating", "second");
  await proxy.cut();
  // The old password is refused, which is told, and tried again.
  await node.until(
    "the refusal",
    () => causes.some((cause) => cause.includes("access was refused (Login was refused")),
  );
  password = "second";
  await node.until("both connections", () => transport.counts.connections === 2, 30_000);
  await works(transport);
  assertEquals(states.at(-1), "up");
  await transport.close(node.clock.now() + 1_000);
  await proxy[Symbol.asyncDispose]();
});

onNode("credentials that cannot be had are told of, and asked for again", async (node) => {
  let sealed = true;
  const { transport, causes, opened } = node.prepare({
    credentials: () => {
      if (sealed) throw new Error("The vault is sealed");
      return { username: "guest", password: "guest" };
    },
  });
  await node.until("the failure", () => causes.length > 0);
  assertStringIncludes(causes[0] ?? "", "The vault is sealed");
  sealed = false;
  await opened;
  await works(transport);
  await transport.close(node.clock.now() + 1_000);
});

onNode("a vhost is reached by its name, whatever is in it, and one that is missing is named", async (node) => {
  await node.operator.vhost("a/b c%41");
  const { transport } = await node.open({ url: `${node.url}/a%2Fb%20c%2541`, connectionName: "named" });
  await works(transport);
  const listed = await connections(node, "vhost", "client_properties");
  assert(listed.includes("a/b c%41"), listed);
  assert(listed.includes(`"named (publish)"`) && listed.includes(`"named (consume)"`), listed);
  await transport.close(node.clock.now() + 1_000);

  const other = node.prepare({ url: `${node.url}/nowhere` });
  await node.until("the refusal", () => other.causes.some((cause) => cause.includes("vhost:nowhere")));
  assertInstanceOf(other.errors[0], TopologyError);
  assertStringIncludes(other.errors[0].message, `"rabbitmqctl add_vhost nowhere"`);
  assert(!other.errors[0].message.includes("deploy"), other.errors[0].message);
  await node.operator.vhost("nowhere"); // the broker's users may make it after its services have begun to start
  await other.opened;
  await works(other.transport);
  await other.transport.close(node.clock.now() + 1_000);
  await node.operator.deleteVhost("nowhere");
});

onNode("frames are as large as is asked for, or as the broker takes them where that is less", async (node) => {
  for (const [asked, agreed] of [[8_192, 8_192], [2 ** 20, 131_072]] as const) {
    const { transport } = await node.open({ url: node.url, frameMaxBytes: asked, connectionName: `wants ${asked}` });
    await works(transport, "a".repeat(300_000));
    const listed = (await connections(node, "frame_max", "client_properties")).split("\n");
    const frames = listed.filter((line) => line.includes(`wants ${asked} (`)).map((line) => Number.parseInt(line));
    assertEquals(frames, [agreed, agreed]);
    assertEquals(transport.capabilities.maxHeaderBytes, Math.min(2 ** 15, asked / 2));
    await transport.close(node.clock.now() + 1_000);
  }
});

onNode("a socket that neither end closes and nothing comes through is found by heartbeats", async (node) => {
  const proxy = await TcpProxy.to(node.port);
  const { transport } = await node.open({ url: `amqp://127.0.0.1:${proxy.port}`, heartbeat: "1s" });
  await works(transport);
  const { reconnects } = transport.counts;
  proxy.stall();
  const sent = send(transport);
  // They are back at once: that they are away may be over before anybody looks.
  await node.until("both lost and back", () => transport.counts.reconnects >= reconnects + 2, 30_000);
  await sent;
  await transport.close(node.clock.now() + 1_000);
  await proxy[Symbol.asyncDispose]();
});
