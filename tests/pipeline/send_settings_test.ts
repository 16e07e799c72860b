import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { ConfigurationError, InvalidDurationError, UnsupportedError } from "../../src/errors/configuration.ts";
import { InvalidMessageError } from "../../src/errors/sending.ts";
import type { Duration } from "../../src/values/duration.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { trial } from "../support/trial.ts";
import { Happened, type Order, order, scripted, Submit } from "./send_rig.ts";

trial("times to live: 0 and less are refused, the rest is rounded up to whole milliseconds", async () => {
  const { bus, transport } = await scripted();
  const now = transport.host?.clock.now() ?? 0;
  for (const ttl of [5000, "5s", 0.4, 1500.7, 5_000_000_000] as const) await bus.publish(Happened, order, { ttl });
  assertEquals(transport.sent.map(({ expiresAt }) => (expiresAt ?? 0) - now), [5000, 5000, 1, 1501, 5_000_000_000]);
  await assertRejects(() => bus.publish(Happened, order, { ttl: 0 }), ConfigurationError, "ttl of 0");
  for (const ttl of [-5, "-5s", NaN, "5 s", ""]) {
    await assertRejects(() => bus.publish(Happened, order, { ttl: ttl as Duration }), InvalidDurationError);
  }
  assertEquals(transport.sent.length, 5);
  await bus.stop();
});

trial("a send's ttl, key and priority come before the contract's", async () => {
  const { bus, transport } = await scripted();
  const now = transport.host?.clock.now() ?? 0;
  const Own = command<Order>("orders.own", { ttl: "1m", key: (m) => m.orderId, priority: 3 });
  await bus.send(Own, order);
  await bus.send(Own, order, { ttl: "1s", key: "other", priority: 255 });
  await bus.send(Own, order, { priority: 0 });
  assertEquals(
    transport.sent.map(({ key, priority, expiresAt }) => [key, priority, (expiresAt ?? 0) - now]),
    [["42", 3, 60_000], ["other", 9, 1000], ["42", undefined, 60_000]],
  );
  await bus.stop();
});

trial("a priority that is not whole, from 0 to 255, is refused", async () => {
  const { bus, transport } = await scripted();
  for (const priority of [-1, 256, 0.5, NaN, "5", null]) {
    await assertRejects(
      () => bus.send(Submit, order, { priority: priority as number }),
      ConfigurationError,
      "priority",
    );
  }
  assertEquals(transport.sent, []);
  await bus.stop();
});

trial("a transport without priorities or levels enough gets none, or its highest", async () => {
  for (const [priorities, expected] of [[0, undefined], [1, 0], [4, 3], [256, 200]] as const) {
    const { bus, transport } = await scripted(new ScriptedTransport({}, { priorities }));
    await bus.send(Submit, order, { priority: 200 });
    assertEquals(transport.sent[0]?.priority, expected);
    await bus.stop();
  }
});

trial("what is no object is not sent where no schema takes it: who receives it would refuse it", async () => {
  const { bus, transport } = await scripted();
  const Deleted = event<string>("users.deleted");
  const Raise = command<number[] | null>("levels.raise");

  await assertRejects(() => bus.publish(Deleted, "42"), InvalidMessageError, "it is a string");
  await assertRejects(() => bus.send(Raise, [1]), InvalidMessageError, "it is a list");
  await assertRejects(() => bus.send(Raise, null), InvalidMessageError, "it is null");

  assertEquals(transport.sent.length, 0);
});

trial("a key that is no text is refused, whoever gives it", async () => {
  const { bus, transport } = await scripted();
  const Keyed = event<{ id?: string }>("keyed", { key: (m) => m.id as string });
  await assertRejects(() => bus.publish(Keyed, {}), InvalidMessageError, "its key is undefined");
  for (const key of [5, {}, true]) {
    await assertRejects(() => bus.publish(Keyed, { id: "1" }, { key: key as never }), InvalidMessageError, "its key");
  }
  assertEquals(transport.sent, []);
  await bus.publish(Keyed, { id: "" });
  assertEquals(transport.sent.map(({ key }) => key), [""]);
  await bus.stop();
});

const delays = [2_147_483_647, 2_147_483_648, 4_294_967_295, 4_294_967_296, 15_552_000_000];
trial("a delay of any length is never early, and in time on a virtual clock", async (trial) => {
  const came = new Map<string, number>();
  const bus = trial.bus();
  bus.endpoint("orders").handle(Submit, ({ orderId }) => void came.set(orderId, trial.clock.now()));
  await bus.start();
  const start = trial.clock.now();
  for (const delay of delays) await bus.send(Submit, { orderId: String(delay) }, { delay });
  for (const delay of delays) {
    await trial.pass(start + delay - 1 - trial.clock.now());
    assertEquals(came.has(String(delay)), false);
    await trial.pass(1);
    assertEquals(came.get(String(delay)), start + delay);
  }
});

trial("no delay at all is at once; a negative one is refused", async (trial) => {
  const came: string[] = [];
  const bus = trial.bus();
  bus.endpoint("orders").handle(Submit, ({ orderId }) => void came.push(orderId));
  await bus.start();
  await bus.send(Submit, { orderId: "0" }, { delay: 0 });
  await bus.send(Submit, { orderId: "0s" }, { delay: "0s" });
  for (const delay of [-1, "-1s", NaN, Infinity, "soon"]) {
    await assertRejects(() => bus.send(Submit, order, { delay: delay as Duration }), InvalidDurationError);
  }
  await trial.settled();
  assertEquals(came, ["0", "0s"]);
});

trial("a ttl counts from when the message is due, not from when it was sent", async () => {
  const { bus, transport } = await scripted();
  const now = transport.host?.clock.now() ?? 0;
  await bus.send(Submit, order, { delay: 500, ttl: "1s" });
  assertEquals([transport.sent[0]?.dueAt, transport.sent[0]?.expiresAt], [now + 500, now + 1500]);
  await bus.stop();
});

trial("a delay that the transport cannot keep is refused, not cut", async () => {
  const { bus, transport } = await scripted(new ScriptedTransport({}, { delay: { maxMs: 1000, cancel: false } }));
  await bus.send(Submit, order, { delay: 1000 });
  const error = await assertRejects(() => bus.send(Submit, order, { delay: 1001 }), UnsupportedError);
  for (const part of ["scripted", "1001 ms", "orders.submit"]) assertStringIncludes(error.message, part);
  const none = await scripted(new ScriptedTransport({}, { delay: false }));
  await assertRejects(() => none.bus.send(Submit, order, { delay: 1 }), UnsupportedError);
  await none.bus.send(Submit, order, { delay: 0 });
  assertEquals([transport.sent.length, none.transport.sent.length], [1, 1]);
  await bus.stop();
  await none.bus.stop();
});
