/** A bus that shares a broker with MassTransit. */
import { assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { command, createBus, event, query } from "../../../mod.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import { TopologyError } from "../../../src/errors/transport.ts";
import { masstransitNaming } from "../../../src/masstransit/mod.ts";
import { rabbitmq } from "../../../transports/rabbitmq/mod.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";
import { raw, skip, url } from "./broker.ts";
import { removeAll } from "./bus_rig.ts";

interface Submit {
  readonly orderId: string;
}
const Submit = command<Submit>("orders.submit");
const Submitted = event<Submit>("orders.submitted");
const GetOrder = query<Submit, { readonly status: string }>("orders.get");

const clock = realTime();
const run = Math.floor(performance.timeOrigin + performance.now()).toString(36);

/** A bus that lays out what it has as MassTransit does. */
function sharing(prefix: string): Bus {
  return createBus({
    name: "shop",
    transport: rabbitmq(url),
    prefix,
    naming: masstransitNaming({ namespace: "Contracts" }),
  });
}

test("rabbitmq: with MassTransit's names, exchanges and queues are those that MassTransit declares", async () => {
  const prefix = `mt${run}-`;
  const bus = sharing(prefix);
  const seen: string[] = [];
  let broken = true;
  bus.endpoint("submit-order").handle(Submit, ({ orderId }) => {
    if (broken) throw new Error("The shelf is empty");
    seen.push(orderId);
  });
  await bus.start();
  try {
    await raw(async (channel) => {
      // What MassTransit would do, and be refused if anything differed.
      for (
        const name of [
          `${prefix}Contracts:Submit`,
          `${prefix}submit-order`,
          `${prefix}MassTransit:Fault--Contracts:Submit--`,
        ]
      ) {
        await channel.assertExchange(name, "fanout", { durable: true });
      }
      for (const name of ["submit-order", "submit-order_error", "submit-order_skipped"]) {
        await channel.assertQueue(`${prefix}${name}`, { durable: true });
        await channel.assertExchange(`${prefix}${name}`, "fanout", { durable: true });
      }
    });
    await bus.send(Submit, { orderId: "1" });
    const failed = async () => (await bus.counts("submit-order")).failed;
    for (let tries = 0; tries < 200 && await failed() === 0; tries++) await clock.pass(50);
    // As MassTransit leaves it: with headers of its own beside the body.
    await raw(async (channel) => {
      const message = await channel.get(`${prefix}submit-order_error`, { noAck: true });
      if (message === false) throw new Error("Nothing is in the error queue");
      const { properties: { headers, messageId, contentType, type, appId }, content } = message;
      channel.sendToQueue(`${prefix}submit-order_error`, content, {
        messageId,
        contentType,
        type,
        appId,
        headers: { ...headers, "MT-Reason": "fault", "MT-Fault-Message": "no", "MT-Host-MachineName": "kept" },
      });
      await channel.waitForConfirms();
    });
    await bus.pause("submit-order");
    assertEquals(await bus.errors("submit-order").requeue("all"), 1);
    const back = await raw((channel) => channel.get(`${prefix}submit-order`, { noAck: false }));
    const left = back === false ? [] : Object.keys(back.properties.headers ?? {});
    assertEquals(left.filter((name) => /^MT-|^hero-(reason|error|failed)/.test(name)), ["MT-Host-MachineName"]);
    broken = false;
    await bus.resume("submit-order");
    await eventually(clock, "it", () => seen.length === 1);
  } finally {
    await bus.stop({ deadline: "2s" });
    await removeAll(bus);
  }
}, { skip });

test(
  "rabbitmq: with MassTransit's names, a quorum queue or one with priorities has that alone, and so have what keeps its failures",
  async () => {
    const prefix = `mt${run}q-`;
    const bus = sharing(prefix);
    bus.endpoint("safe", { extensions: [rabbitmq.queue({ type: "quorum" })] }).handle(Submit, () => {});
    bus.endpoint("urgent", { extensions: [rabbitmq.queue({ maxPriority: 5 })] }).handle(Submitted, () => {});
    bus.endpoint("plain").handle(GetOrder, () => ({ status: "new" }));
    await bus.deploy("apply");
    try {
      await raw(async (channel) => {
        // As MassTransit declares it; refused if anything differs.
        const declared = { safe: { "x-queue-type": "quorum" }, urgent: { "x-max-priority": 5 }, plain: {} };
        for (const [name, args] of Object.entries(declared)) {
          for (const each of [name, `${name}_error`, `${name}_skipped`]) {
            await channel.assertQueue(prefix + each, { durable: true, arguments: args });
          }
        }
      });
      assertEquals(await bus.deploy("check"), []);
    } finally {
      await bus.stop({ deadline: "2s" });
      await removeAll(bus);
    }
  },
  { skip },
);

test("rabbitmq: where MassTransit has had no failure yet, and so made no error queue, none is listed", async () => {
  const prefix = `mt${run}e-`;
  const operator = sharing(prefix);
  operator.endpoint("submit-order");
  const errors = operator.errors("submit-order");
  const ids = async () => (await Array.fromAsync(errors.list())).map(({ messageId }) => messageId);
  try {
    // Nothing of it is there: that is another broker, or another name.
    for (const ask of [() => ids(), () => errors.requeue("all"), () => errors.discard(["m1"])]) {
      await assertRejects(ask, TopologyError, `queue:${prefix}submit-order: it is missing`);
    }
    await raw(async (channel) => void await channel.assertQueue(`${prefix}submit-order`, { durable: true }));
    assertEquals([await ids(), await errors.requeue("all"), await errors.discard(["m1"])], [[], 0, 0]);
    assertEquals(await Array.fromAsync(operator.skipped("submit-order").list()), []);
    // The first failure.
    await raw(async (channel) => {
      await channel.assertQueue(`${prefix}submit-order_error`, { durable: true });
      channel.sendToQueue(`${prefix}submit-order_error`, Buffer.from("{}"), { messageId: "m1" });
      await channel.waitForConfirms();
    });
    assertEquals([await ids(), await errors.discard(["m1"])], [["m1"], 1]);
  } finally {
    await operator.stop({ deadline: "2s" });
    await removeAll(operator);
  }
}, { skip });
