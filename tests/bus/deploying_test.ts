import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type Bus, createBus, event } from "../../mod.ts";
import { StoppedError } from "../../src/errors/lifecycle.ts";
import { TopologyError } from "../../src/errors/transport.ts";
import { test } from "../support/runner.ts";
import { trial } from "../support/trial.ts";
import { order, scripted, Submit } from "./scripted_bus.ts";

test("deploy plans, checks and applies, before the bus starts", async () => {
  const changes = [{ kind: "create" as const, entity: "queue:one", detail: "missing" }];
  const { bus, transport } = scripted({ deploy: () => Promise.resolve(changes) });
  assertEquals(await bus.deploy("plan"), changes);
  assertEquals(await bus.deploy("apply"), changes);
  const error = await assertRejects(() => bus.deploy("check"), TopologyError);
  assertStringIncludes(error.message, 'queue:one: missing. Run bus.deploy("apply")');
  assertEquals(transport.asked, ["open", "deploy plan", "deploy apply", "deploy check"]);
  await bus.start();
  assertEquals(transport.asked.filter((each) => each === "open").length, 1);
  await bus.stop();
});

test("a conflict is refused by apply and check, and only told by plan; an extra by none", async () => {
  const conflict = { kind: "conflict" as const, entity: "queue:one", detail: "other settings" };
  const extra = { kind: "extra" as const, entity: "topic:a -> queue:b", detail: "not wanted" };
  const { bus } = scripted({ deploy: () => Promise.resolve([conflict, extra]) });
  assertEquals(await bus.deploy("plan"), [conflict, extra]);
  for (const mode of ["check", "apply"] as const) {
    const error = await assertRejects(() => bus.deploy(mode), TopologyError);
    assertEquals(error.message.includes("not wanted"), false);
    assertStringIncludes(error.message, 'changed by nobody, nor by bus.deploy("apply")');
  }
  await assertRejects(() => bus.start(), TopologyError);
  const told = scripted({ deploy: () => Promise.resolve([extra]) });
  assertEquals(await told.bus.deploy("check"), [extra]);
  await told.bus.stop();
  const extras = scripted({ deploy: () => Promise.resolve([extra]) }, { deploy: "check" });
  await extras.bus.start();
  await extras.bus.stop();
});

trial(
  "a bus that only checks does not start where anything is missing, makes nothing, and starts where all is there",
  async (trial) => {
    const make = (deploy: "apply" | "check") => {
      const bus = trial.bus({ deploy });
      bus.endpoint("orders").handle(Submit, () => {});
      return bus;
    };
    const error = await assertRejects(() => make("check").start(), TopologyError);
    for (const missing of ["queue:orders", "queue:orders_error", "topic:orders.submit"]) {
      assertStringIncludes(error.message, missing);
    }
    assertEquals((await make("apply").deploy("plan")).some(({ entity }) => entity === "queue:orders"), true);
    await make("apply").deploy("apply");
    assertEquals(await make("apply").deploy("plan"), []);
    const bus = make("check");
    await bus.start();
    await bus.send(Submit, order);
  },
);

test("a bus that only checks makes what nobody else could: queues in its own memory", async () => {
  const bus = createBus({ name: "orders", deploy: "check" });
  const got: string[] = [];
  bus.endpoint("orders").handle(Submit, ({ orderId }) => void got.push(orderId));
  assertEquals(await bus.deploy("check"), []);
  await bus.start();
  await bus.send(Submit, order);
  await bus.stop();
  assertEquals(got, [order.orderId]);
});

trial("another owner of a command is told of as extra, another subscriber of an event is not", async (trial) => {
  const Changed = event<{ id: string }>("orders.changed");
  const extrasOf = async (bus: Bus, mode: "plan" | "check") =>
    (await bus.deploy(mode)).filter(({ kind }) => kind === "extra").map(({ entity }) => entity);
  const service = (name: string) => {
    const bus = trial.bus({ name });
    bus.endpoint(name).handle(Submit, () => {}).handle(Changed, () => {});
    return bus;
  };
  const [first, second] = [service("first"), service("second")];
  await first.start();
  assertEquals(await extrasOf(second, "plan"), ["topic:orders.submit -> queue:first"]);
  await second.start();
  for (const mode of ["plan", "check"] as const) {
    assertEquals(await extrasOf(first, mode), ["topic:orders.submit -> queue:second"]);
  }
  await second.stop();
  const sender = trial.bus({ name: "sender", prefix: "other-", contracts: [Submit, Changed] });
  assertEquals(await extrasOf(sender, "plan"), []);
});

trial("who only sends a command sees its owner's queue, and nothing amiss", async (trial) => {
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("orders").handle(Submit, () => {});
  await owner.start();
  const sender = trial.bus({ name: "sender", contracts: [Submit] });
  assertEquals(await sender.deploy("plan"), []);
  await sender.start();
  await sender.send(Submit, order);
});

test("after stop there is nothing to deploy with", async () => {
  const { bus } = scripted({});
  await bus.start();
  await bus.stop();
  for (const mode of ["plan", "check", "apply"] as const) await assertRejects(() => bus.deploy(mode), StoppedError);
});
