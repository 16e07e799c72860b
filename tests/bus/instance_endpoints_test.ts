import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { command, event, UnroutableError } from "../../mod.ts";
import { all, trial } from "../support/trial.ts";

const Changed = event<{ id: string }>("instance.changed");
const Local = command<{ id: string }>("instance.local");

trial("each process has a queue of its own, and gets every event", async (t) => {
  const handled: string[] = [];
  const addresses: string[] = [];
  const buses = ["a", "b", "c"].map((name) => {
    const bus = t.bus({ name });
    bus.endpoint("cache", { queue: "instance" }).handle(Changed, async ({ id }, ctx) => {
      handled.push(`${name} ${id}`);
      await ctx.publish(event<{ by: string }>(`instance.seen-${name}`), { by: name });
    });
    bus.observe({
      published: ({ kind, name: sent }) => void (sent.startsWith("instance.seen") && addresses.push(kind)),
    });
    return bus;
  });
  for (const bus of buses) await bus.start();
  await buses[0]?.publish(Changed, { id: "1" });
  await t.settled();
  assertEquals(handled.sort(), ["a 1", "b 1", "c 1"]);
  assertEquals(addresses.length, 3);
});

trial("what was published before a process came, or while it was gone, does not reach it", async (t) => {
  const sender = t.bus({ name: "sender" });
  await sender.start();
  await sender.publish(Changed, { id: "early" });
  const handled: string[] = [];
  const first = t.bus({ name: "first" });
  first.endpoint("cache", { queue: "instance" }).handle(Changed, ({ id }) => void handled.push(`first ${id}`));
  await first.start();
  await sender.publish(Changed, { id: "1" });
  await t.settled();
  await first.stop();
  await sender.publish(Changed, { id: "2" });
  const second = t.bus({ name: "second" });
  second.endpoint("cache", { queue: "instance" }).handle(Changed, ({ id }) => void handled.push(`second ${id}`));
  await second.start();
  await sender.publish(Changed, { id: "3" });
  await t.settled();
  assertEquals(handled, ["first 1", "second 3"]);
});

trial("two buses of one name in one process have two queues, and their failures one error queue", async (t) => {
  const sources: (string | undefined)[] = [];
  const Seen = event<{ id: string }>("instance.seen");
  const buses = [t.bus(), t.bus()];
  for (const bus of buses) {
    bus.endpoint("cache", { queue: "instance" }).handle(Changed, async ({ id }, ctx) => {
      await ctx.publish(Seen, { id });
      throw new Error("no");
    });
    await bus.start();
  }
  const watch = t.bus({ name: "watch" });
  watch.endpoint("watch").handle(Seen, (_, { sourceAddress }) => void sources.push(sourceAddress));
  await watch.start();
  await buses[0]?.publish(Changed, { id: "1" });
  await t.settled();
  assertEquals(sources.length, 2);
  assertNotEquals(sources[0], sources[1]);
  const failed = await all(buses[0]?.errors("cache").list() ?? watch.errors("watch").list());
  assertEquals(failed.length, 2);
});

trial("counts, pause and resume of an instance endpoint are of its own queue", async (t) => {
  const bus = t.bus();
  const other = t.bus({ name: "other" });
  const handled: string[] = [];
  for (const each of [bus, other]) {
    each.endpoint("cache", { queue: "instance" }).handle(Changed, () => void handled.push(each.name));
    await each.start();
  }
  await bus.pause("cache");
  for (let count = 0; count < 3; count++) await bus.publish(Changed, { id: "1" });
  await t.settled();
  assertEquals(handled, ["other", "other", "other"]);
  assertEquals(await bus.counts("cache"), { waiting: 3, active: 0, delayed: 0, failed: 0, skipped: 0 });
  assertEquals(await other.counts("cache"), { waiting: 0, active: 0, delayed: 0, failed: 0, skipped: 0 });
  await bus.resume("cache");
  await t.settled();
  assertEquals(handled.length, 6);
});

trial("what failed at an instance endpoint goes back to the queue of the process that puts it back", async (t) => {
  const bus = t.bus();
  const other = t.bus({ name: "other" });
  const handled: string[] = [];
  let down = true;
  for (const each of [bus, other]) {
    each.endpoint("cache", { queue: "instance" }).handle(Changed, () => {
      if (down && each === bus) throw new Error("down");
      handled.push(each.name);
    });
    await each.start();
  }
  await bus.publish(Changed, { id: "1" });
  await t.settled();
  assertEquals(handled, ["other"]);
  down = false;
  assertEquals(await bus.errors("cache").requeue("all"), 1);
  await t.settled();
  assertEquals(handled, ["other", "app"]);
});

trial("with subscribe: false only what is sent to the queue comes", async (t) => {
  const bus = t.bus();
  const handled: string[] = [];
  bus.endpoint("direct", { subscribe: false }).handle(Local, ({ id }) => void handled.push(id))
    .handle(Changed, ({ id }) => void handled.push(`event ${id}`));
  await bus.start();
  await bus.publish(Changed, { id: "1" });
  await assertRejects(() => bus.send(Local, { id: "2" }), UnroutableError);
  await bus.send(Local, { id: "3" }, { to: "queue:direct" });
  await t.settled();
  assertEquals(handled, ["3"]);
});
