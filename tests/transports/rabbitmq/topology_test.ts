/** Exchanges, bindings and where what dies goes, as contracts and endpoints say. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AccessRefusedError,
  command,
  createBus,
  event,
  TopologyError,
  UnroutableError,
  UnsupportedError,
} from "../../../mod.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { rabbitmq, type RabbitmqOptions } from "../../../transports/rabbitmq/mod.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { type PrivateNode, privateNode } from "./private_node.ts";

const onNode = privateNode(5730);
const clock = realTime();

/** Buses of one test, all of one vhost of its own. */
function withBuses(
  name: string,
  run: (make: (name: string, options?: RabbitmqOptions) => Bus, node: PrivateNode, vhost: string) => Promise<void>,
): void {
  onNode(name, async (node) => {
    const vhost = `v${Math.random().toString(36).slice(2)}`;
    await node.operator.vhost(vhost);
    const buses: Bus[] = [];
    const make = (bus: string, options: RabbitmqOptions = {}) => {
      const made = createBus({ name: bus, transport: rabbitmq({ url: `${node.url}/${vhost}`, ...options }) });
      buses.push(made);
      return made;
    };
    try {
      await run(make, node, vhost);
    } finally {
      for (const bus of buses) await bus.stop({ deadline: "1s" });
      await node.operator.deleteVhost(vhost);
    }
  });
}

interface Placed {
  readonly region: string;
}

withBuses("a topic exchange gives each endpoint what its pattern says, by the contract's routing key", async (make) => {
  const Placed = event<Placed>("orders.placed", {
    routingKey: ({ region }) => `${region}.web`,
    extensions: [rabbitmq.exchange({ type: "topic" })],
  });
  const bus = make("shop");
  const seen: string[] = [];
  const bind = (routingKey: string) => [rabbitmq.queue({ bind: [{ exchange: "orders.placed", routingKey }] })];
  bus.endpoint("europe", { extensions: bind("eu.*") }).handle(Placed, ({ region }) => void seen.push(`eu: ${region}`));
  bus.endpoint("web", { extensions: bind("*.web") }).handle(Placed, ({ region }) => void seen.push(`web: ${region}`));
  bus.endpoint("all").handle(Placed, ({ region }) => void seen.push(`all: ${region}`));
  bus.endpoint("live", { queue: "instance", extensions: bind("us.#") })
    .handle(Placed, ({ region }) => void seen.push(`live: ${region}`));
  await bus.start();
  await bus.publish(Placed, { region: "eu" });
  await bus.publish(Placed, { region: "us" });
  await eventually(clock, "all", () => seen.length === 6);
  assertEquals(seen.toSorted(), ["all: eu", "all: us", "eu: eu", "live: us", "web: eu", "web: us"]);
  // A delay travels by the routing key.
  await assertRejects(() => bus.publish(Placed, { region: "eu" }, { delay: "1s" }), UnsupportedError, "routing keys");
});

withBuses(
  "a direct exchange needs keys, which the message's key is unless its contract gives another",
  async (make) => {
    const Move = command<Placed>("orders.move", {
      key: ({ region }) => region,
      extensions: [rabbitmq.exchange({ type: "direct" })],
    });
    const bus = make("shop");
    bus.endpoint("movers").handle(Move, () => {});
    await assertRejects(() => bus.start(), ConfigurationError, "bind");
    const other = make("shop");
    const seen: string[] = [];
    const extensions = [rabbitmq.queue({ bind: [{ exchange: "orders.move", routingKey: "eu" }] })];
    other.endpoint("movers", { extensions }).handle(Move, ({ region }) => void seen.push(region));
    await other.start();
    await other.send(Move, { region: "eu" });
    await assertRejects(() => other.send(Move, { region: "us" }), UnroutableError);
    await eventually(clock, "it", () => seen.length === 1);
  },
);

withBuses("a headers exchange goes by headers; what nobody takes goes to its alternate", async (make) => {
  const Placed = event<Placed>("orders.placed", {
    extensions: [rabbitmq.exchange({ type: "headers", alternate: "unrouted" })],
  });
  const bus = make("shop");
  const seen: string[] = [];
  const extensions = [
    rabbitmq.queue({ bind: [{ exchange: "orders.placed", arguments: { "x-match": "all", tier: "gold" } }] }),
  ];
  bus.endpoint("gold", { extensions }).handle(Placed, ({ region }) => void seen.push(`gold: ${region}`));
  bus.endpoint("unrouted", { subscribe: false }).handle(Placed, ({ region }) => void seen.push(`none: ${region}`));
  await bus.start();
  await bus.publish(Placed, { region: "a" }, { headers: { tier: "gold" } });
  await bus.publish(Placed, { region: "b" });
  await eventually(clock, "both", () => seen.length === 2);
  assertEquals(seen.toSorted(), ["gold: a", "none: b"]);
});

withBuses(
  "what expires or has no room goes where a queue's dead letters are said to go, and nowhere else",
  async (make) => {
    const Note = command<Placed>("notes.add", { to: "queue:notes" });
    const bus = make("shop");
    const seen: string[] = [];
    bus.endpoint("graveyard").handle(Note, ({ region }) => void seen.push(region));
    bus.endpoint("notes", {
      subscribe: false,
      extensions: [rabbitmq.queue({ maxLength: 1, messageTtl: "300ms", deadLetter: { exchange: "graveyard" } })],
    }).handle(event<Placed>("notes.never"), () => {});
    await bus.start();
    await bus.pause("notes");
    await bus.send(Note, { region: "crowded out" });
    await bus.send(Note, { region: "expired" });
    await eventually(clock, "both", () => seen.length === 2);
    assertEquals(seen, ["crowded out", "expired"]);
    assertEquals((await bus.counts("notes")).failed, 0);
  },
);

withBuses(
  "with a management URL, plan and check list bindings that are missing, and those of another owner",
  async (make, node, vhost) => {
    const Submit = command<Placed>("orders.submit");
    const Placed = event<Placed>("orders.placed");
    const management = node.managementUrl;
    const first = make("shop", { management });
    first.endpoint("orders").handle(Submit, () => {}).handle(Placed, () => {});
    assertEquals((await first.deploy("apply")).every(({ kind }) => kind === "create"), true);
    assertEquals(await first.deploy("check"), []);

    const second = make("thief", { management });
    second.endpoint("stolen").handle(Submit, () => {});
    await second.deploy("apply");
    const extra = (await first.deploy("check")).map(({ kind, entity }) => `${kind} ${entity}`);
    assertEquals(extra, ["extra topic:orders.submit -> queue:stolen"]);

    // An endpoint that does not handle an event any more still gets it.
    const later = make("shop", { management });
    later.endpoint("orders").handle(Submit, () => {});
    const stale = (await later.deploy("plan")).map(({ kind, entity }) => `${kind} ${entity}`);
    assert(stale.includes("extra topic:orders.placed -> queue:orders"), `${stale}`);

    // Who has no user there is asked for one, as whoever connects.
    let asked = 0;
    const [, host] = management.split("@");
    const rotating = make("shop", {
      url: node.url.replace("//", "//nobody:wrong@") + `/${vhost}`,
      management: `http://${host}`,
      credentials: () => {
        asked++;
        return { username: "guest", password: "guest" };
      },
    });
    rotating.endpoint("orders").handle(Submit, () => {});
    const seen = (await rotating.deploy("plan")).map(({ kind, entity }) => `${kind} ${entity}`);
    assert(seen.includes("extra topic:orders.placed -> queue:orders"), `${seen}`);
    assert(asked >= 3, `It was asked ${asked} times, of which two are for connections`);

    const wrong = make("shop", { management: "http://127.0.0.1:1" });
    wrong.endpoint("orders").handle(Submit, () => {});
    await assertRejects(() => wrong.deploy("plan"), Error, "management plugin");
    await wrong.start(); // which needs none of it
  },
);

withBuses(
  "two buses that disagree on a topic: the second is refused with both values, and the first goes on",
  async (make) => {
    const type = (type: "topic" | "fanout") =>
      event<Placed>("orders.placed", { extensions: [rabbitmq.exchange({ type })] });
    const [first, second] = [make("first"), make("second")];
    const [Topic, Fanout] = [type("topic"), type("fanout")];
    const seen: string[] = [];
    first.endpoint("a").handle(Topic, ({ region }) => void seen.push(region));
    second.endpoint("b").handle(Fanout, () => {});
    await first.start();
    const error = await assertRejects(() => second.start(), TopologyError, "orders.placed");
    assert(error.message.includes(`"topic"`) && error.message.includes(`"fanout"`), error.message);
    await first.publish(Topic, { region: "eu" });
    await eventually(clock, "it", () => seen.length === 1);
  },
);

withBuses(
  "what the bus' user has no right to is named, whether to send, to take or to declare",
  async (make, node, vhost) => {
    const Note = command<Placed>("notes.add", { to: "queue:notes" });
    const owner = make("owner");
    owner.endpoint("notes").handle(Note, () => {});
    await owner.deploy("apply");
    await node.operator.user("poor", "poor");
    // To configure, to write and to read: enough to bind, and to look (from RabbitMQ 4.3 on, that needs one of the
    // three), not to declare, to take or to send.
    const rights = ["^hero\\.", "^(notes(_error|_skipped)?|hero\\..*)$", "^((fault:)?notes\\.add|hero\\..*)$"];
    try {
      await node.operator.permit("poor", vhost, rights);
      const credentials = () => ({ username: "poor", password: "poor" });
      const poor = (queue: string) => {
        const bus = make("poor", { credentials });
        bus.endpoint(queue).handle(Note, () => {});
        return bus;
      };
      await assertRejects(() => poor("others").start(), AccessRefusedError, `deploy "queue:others"`);
      await assertRejects(() => poor("notes").start(), AccessRefusedError, `receive from "queue:notes"`);
      const sender = make("poor", { credentials });
      await sender.start();
      const error = await assertRejects(() => sender.send(Note, { region: "eu" }), AccessRefusedError, "queue:notes");
      assert(error.message.includes("refused for user 'poor'"), error.message);
    } finally {
      await node.operator.deleteUser("poor");
    }
  },
);

withBuses("queues give a message up after 100 returns, those that keep failures never", async (make, node, vhost) => {
  const Note = command<Placed>("notes.add");
  const bus = make("shop");
  bus.endpoint("notes").handle(Note, () => {});
  await bus.deploy("apply");
  const limits = new Map<string, string | undefined>();
  for (const line of (await node.control("-q", "list_queues", "-p", vhost, "name", "arguments")).split("\n")) {
    const [name = "", args = ""] = line.split("\t");
    limits.set(name, /"x-delivery-limit",(\d+)/.exec(args)?.[1]);
  }
  assertEquals(["notes", "notes_error", "notes_skipped"].map((name) => limits.get(name)), [
    "100",
    `${2 ** 31 - 1}`,
    `${2 ** 31 - 1}`,
  ]);
});
