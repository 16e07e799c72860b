/** A wire to the database that says nothing any more, and does not break either. */
import { assertEquals } from "@std/assert";
import type { Transport } from "../../../src/spi/transport.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { onQueues, type Rig } from "./rig.ts";

/** Runs on two transports, of which the first goes through a wire that can fall silent. */
function onWire(
  name: string,
  run: (
    rig: Rig,
    wire: { readonly cutOff: Transport; readonly other: Transport; readonly proxy: TcpProxy },
  ) => Promise<void>,
): void {
  onQueues(name, ["q"], async (rig) => {
    const there = new URL(rig.bench.url);
    const proxy = await TcpProxy.to(Number(there.port || 5432));
    there.port = String(proxy.port);
    try {
      const options = { lease: "1s", pollInterval: "50ms" } as const;
      const cutOff = await rig.connect(options, { url: String(there), listen: false });
      await run(rig, { cutOff, other: await rig.connect(options), proxy });
    } finally {
      await proxy[Symbol.asyncDispose]();
    }
  });
}

onWire("a lease is lost when it ends, also where nobody answers whether it is renewed", async (rig, wire) => {
  const { cutOff, other, proxy } = wire;
  const inbox = await rig.receive(cutOff, "q", { credit: 2 });
  await rig.send(other, "queue:q", { text: "held" });
  await rig.came(inbox, 1);
  proxy.drop(() => true); // of new connections; those that there are say nothing in either direction
  proxy.stall();
  const next = await rig.receive(other, "q", { credit: 1 });
  await rig.came(next, 1);
  assertEquals(next.only.deliveryCount, 2);
  await rig.until("it to be told", () => inbox.lostDeliveries.length === 1);
  await next.accept();
});

onWire("a receiver whose connection is silent says so, and goes on when that has broken", async (rig, wire) => {
  const { cutOff, other, proxy } = wire;
  const inbox = await rig.receive(cutOff, "q");
  await rig.hungry(inbox);
  const states = rig.states.length;
  proxy.stall();
  await rig.until("it to say so", () => rig.states.slice(states).includes("degraded"));
  await rig.send(other, "queue:q", { text: "more" });
  await proxy.cut();
  await rig.came(inbox, 1);
  await inbox.accept();
  await rig.until("it to be well", () => rig.states.at(-1) === "up");
});

onQueues(
  "as long as one receiver waits for an answer, others that work do not make it well",
  ["q", "p"],
  async (rig) => {
    const transport = await rig.connect({ lease: "1s", pollInterval: "20ms" }, { max: 20 });
    const [inbox, other] = [await rig.receive(transport, "q"), await rig.receive(transport, "p")];
    await rig.send(transport, "queue:q", {});
    await rig.came(inbox, 1);
    let accepted: Promise<void> | undefined;
    await rig.bench.sql.begin(async (tx) => {
      await tx.unsafe(`SELECT FROM "${rig.bench.schema}".hero_queue_messages FOR UPDATE`);
      accepted = inbox.accept();
      await rig.until("it to say so", () => rig.states.at(-1) === "degraded");
      for (let at = 1; at <= 3; at++) {
        await rig.send(transport, "queue:p", {});
        await rig.came(other, at);
        await other.accept();
      }
      assertEquals(rig.states.at(-1), "degraded");
    });
    await accepted;
    await rig.until("it to be well", () => rig.states.at(-1) === "up");
  },
);
