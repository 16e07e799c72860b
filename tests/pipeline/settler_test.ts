import { assertEquals } from "@std/assert";
import { macrotask } from "../../src/runtime/macrotask.ts";
import { Settler } from "../../src/pipeline/settler.ts";
import type { Delivery, Receiver, Settlement } from "../../src/spi/transport.ts";
import { trial } from "../support/trial.ts";

const delivery: Delivery = {
  frame: { contentType: "application/json", headers: {}, body: new Uint8Array() },
  key: undefined,
  via: undefined,
  deliveryCount: 1,
};

/** A receiver that fails, in its own way, until the settlement that is given back. */
function failing(how: () => unknown): { readonly receiver: Receiver; readonly asked: Settlement["outcome"][] } {
  const asked: Settlement["outcome"][] = [];
  return {
    asked,
    receiver: {
      address: "queue:orders",
      settle: (batch) => {
        asked.push(...batch.map(({ outcome }) => outcome));
        // From JavaScript a transport may give anything.
        return batch.some(({ outcome }) => outcome === "release") ? Promise.resolve() : how() as Promise<void>;
      },
      credit: () => {},
      stop: () => Promise.resolve(),
    },
  };
}
const broken = (): Error => new Error("the copy failed");

for (
  const [what, how] of Object.entries<() => unknown>({
    "rejects": () => Promise.reject(broken()),
    "throws, against its promise,": () => {
      throw broken();
    },
  })
) {
  trial(`a settlement at a transport that ${what} is tried five times, then the delivery goes back`, async (t) => {
    const { receiver, asked } = failing(how);
    const settler = new Settler(receiver, t.clock, { telemetry: undefined, bus: "app", endpoint: "orders" });
    settler.settle({ delivery, outcome: "move", to: "queue:orders_error", headers: {} });
    let drained = false;
    const draining = settler.drained().then(() => drained = true);
    await t.settled();
    assertEquals([asked, drained], [["move"], false]);
    await t.pass(60_000);
    await draining;
    assertEquals(asked, ["move", "move", "move", "move", "move", "release"]);
    assertEquals(settler.unsettled, 0);
  });
}

trial("a transport that gives nothing instead of a promise has heard of the settlement", async (t) => {
  const { receiver, asked } = failing(() => undefined);
  const settler = new Settler(receiver, t.clock, { telemetry: undefined, bus: "app", endpoint: "orders" });
  settler.settle({ delivery, outcome: "accept" });
  await settler.drained();
  assertEquals(asked, ["accept"]);
});

trial("a settler knows why deliveries cannot be moved, until one is, or for a minute", async (t) => {
  let works = false;
  const { receiver } = failing(() => works ? Promise.resolve() : Promise.reject(broken()));
  const settler = new Settler(receiver, t.clock, { telemetry: undefined, bus: "app", endpoint: "orders" });
  const move = () => settler.settle({ delivery, outcome: "move", to: "queue:orders_error", headers: {} });
  move();
  await t.pass(10_000);
  assertEquals([settler.trouble?.message, settler.unsettled], ["the copy failed", 0]);
  works = true;
  settler.settle({ delivery, outcome: "accept" });
  await t.settled();
  assertEquals(settler.trouble?.message, "the copy failed");
  move();
  await t.settled();
  assertEquals(settler.trouble, undefined);
  works = false;
  move();
  await t.pass(120_000);
  assertEquals(settler.trouble, undefined);
});

trial("a settler that is closed tries nothing again, keeps no timer, and holds up nobody", async (t) => {
  const { receiver, asked } = failing(() => Promise.reject(broken()));
  const settler = new Settler(receiver, t.clock, { telemetry: undefined, bus: "app", endpoint: "orders" });
  settler.settle({ delivery, outcome: "move", to: "queue:orders_error", headers: {} });
  await t.settled();
  assertEquals([asked, t.clock.pending], [["move"], 1]);
  const draining = settler.drained();
  settler.settle({ delivery, outcome: "move", to: "queue:orders_error", headers: {} });
  settler.close();
  await draining;
  await t.pass(60_000);
  // What was under way then has failed once, too.
  assertEquals([asked, t.clock.pending], [["move", "move"], 0]);
});

trial("a settler rests after so many in a row, but not where the event loop has had a turn meanwhile", async (t) => {
  const { receiver, asked } = failing(() => undefined);
  const settler = new Settler(receiver, t.clock, { telemetry: undefined, bus: "app", endpoint: "orders" });
  const settle = (count: number): void => {
    for (let left = count; left > 0; left -= 100) {
      settler.hold();
      for (let at = 0; at < 100; at++) settler.settle({ delivery, outcome: "accept" });
      settler.letGo();
    }
  };
  settle(6_000);
  await new Promise<void>((resolve) => macrotask(resolve));
  settle(6_000);
  assertEquals([asked.length, settler.unsettled], [12_000, 0]);
  settle(6_000);
  assertEquals(asked.length < 18_000, true);
  await settler.drained();
  assertEquals(asked.length, 18_000);
});
