/** How a broker is reached, and reached again. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createBus } from "../../../src/bus/create_bus.ts";
import { StartTimeoutError } from "../../../src/errors/lifecycle.ts";
import { AccessRefusedError } from "../../../src/errors/transport.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { type PrivateNode, privateNode } from "./private_node.ts";
import { rabbitmq, type RabbitmqTransport } from "../../../transports/rabbitmq/mod.ts";
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

onNode("a certificate of an authority that is not trusted is refused, and told of", async (node) => {
  const { transport, states, causes, gone } = node.prepare({ url: node.secureUrl });
  await node.until("the refusal", () => causes.length > 0);
  assert(!states.includes("up"));
  await transport.close(node.clock.now());
  await gone;
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

onNode("a vhost is reached by its name, whatever is in it, and one that is missing is named", async (node) => {
  await node.operator.vhost("a/b c");
  const { transport } = await node.open({ url: `${node.url}/a%2Fb%20c`, connectionName: "named" });
  await works(transport);
  const listed = await connections(node, "vhost", "client_properties");
  assert(listed.includes("a/b c"), listed);
  assert(listed.includes(`"named (publish)"`) && listed.includes(`"named (consume)"`), listed);
  await transport.close(node.clock.now() + 1_000);

  const other = node.prepare({ url: `${node.url}/nowhere` });
  await node.until("the refusal", () => other.causes.some((cause) => cause.includes("vhost:nowhere")));
  await other.transport.close(node.clock.now());
  await other.gone;
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
