/** What stands beside a message that kills its process, where an order is kept: docs/adr/0014. */
import { assertEquals } from "@std/assert";
import { command, createBus } from "../../../mod.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import { rabbitmq } from "../../../transports/rabbitmq/mod.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";
import { raw, skip, url } from "./broker.ts";
import { queueOf, removeAll } from "./bus_rig.ts";

const clock = realTime();
const prefix = `s${Math.floor(performance.timeOrigin + performance.now()).toString(36)}-`;
const Step = command<{ readonly key: string; readonly at: number }>("orders.step", { key: ({ key }) => key });

/** Has a process die with the first so many of a queue, so often: the broker knows no other end of a channel. */
async function die(queue: string, count: number, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    await raw(async (channel) => {
      const all = Promise.withResolvers<void>();
      let came = 0;
      await channel.prefetch(count);
      await channel.consume(queue, () => void (++came === count && all.resolve()));
      await all.promise;
    });
  }
}

test(
  "rabbitmq: on an ordered endpoint, what stood beside a suspect is given up with it unhandled, and comes back in its order",
  async () => {
    const seen: number[] = [];
    const buses: Bus[] = [];
    const made = (withEndpoint: boolean): Bus => {
      const bus = createBus({ name: "shop", transport: rabbitmq(url), prefix });
      if (withEndpoint) bus.endpoint("orders", { order: "key" }).handle(Step, ({ at }) => void seen.push(at));
      buses.push(bus);
      return bus;
    };
    const bus = made(true);
    try {
      await bus.deploy("apply");
      const sender = made(false);
      await sender.start();
      for (let at = 0; at < 8; at++) await sender.send(Step, { key: `k${at % 2}`, at });
      await die(queueOf(bus, "orders"), 5, 10);
      await bus.start();
      const failed = async () => (await bus.counts("orders")).failed;
      await eventually(clock, "the others", async () => seen.length === 3 && await failed() === 5);
      assertEquals(seen.toSorted(), [5, 6, 7]);
      const errors = bus.errors("orders");
      const kept = await Array.fromAsync(errors.list());
      assertEquals(kept.map(({ reason }) => reason), kept.map(() => "limit"));
      assertEquals(await errors.requeue("all"), 5);
      await eventually(clock, "what was put back", () => seen.length === 8);
      for (const key of [0, 1]) {
        const back = seen.slice(3).filter((at) => at % 2 === key);
        assertEquals(back, back.toSorted((a, b) => a - b));
      }
      assertEquals(await failed(), 0);
    } finally {
      for (const each of buses) await each.stop({ deadline: "2s" });
      await removeAll(bus);
    }
  },
  { skip },
);
