/** A wire to the database that says nothing any more, and does not break either. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { OutcomeUnknownError, StoreUnavailableError } from "../../../src/errors/store.ts";
import type { Duration } from "../../../src/values/duration.ts";
import type { PostgresTransportOptions } from "../../../transports/postgres/mod.ts";
import type { Transport } from "../../../src/spi/transport.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { onQueues, type Rig } from "./rig.ts";

/** Long before the system gives a connection up by itself. */
const tenLeases = 10_000;

/** Runs on two transports, of which the first goes through a wire that can fall silent. */
function onWire(
  name: string,
  run: (
    rig: Rig,
    wire: { readonly cutOff: Transport; readonly other: Transport; readonly proxy: TcpProxy },
  ) => Promise<void>,
  lease: Duration = "1s",
): void {
  onQueues(name, ["q", "p"], async (rig) => {
    const there = new URL(rig.bench.url);
    const proxy = await TcpProxy.to(Number(there.port || 5432));
    there.port = String(proxy.port);
    try {
      const options: PostgresTransportOptions = { lease, pollInterval: "50ms" };
      const cutOff = await rig.connect(options, {
        url: String(there),
        listen: false,
        max: 1,
        connection: { connect_timeout: 1 },
      });
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

onWire("a receiver whose connection is silent says so, and takes another by itself", async (rig, wire) => {
  const { cutOff, other, proxy } = wire;
  const inbox = await rig.receive(cutOff, "q");
  await rig.hungry(inbox);
  const states = rig.states.length;
  proxy.stall();
  await rig.send(other, "queue:q", { text: "more" });
  await rig.came(inbox, 1, tenLeases);
  await inbox.accept();
  assert(rig.states.slice(states).includes("degraded"));
  await rig.until("it to be well", () => rig.states.at(-1) === "up", tenLeases);
});

onWire("a receiver takes another connection as soon as there are some", async (rig, wire) => {
  const { cutOff, other, proxy } = wire;
  const inbox = await rig.receive(cutOff, "q");
  await rig.hungry(inbox);
  proxy.drop(() => true);
  proxy.stall();
  const taken = proxy.taken;
  await rig.until("it to try", () => proxy.taken > taken, tenLeases);
  proxy.drop(() => false);
  await rig.send(other, "queue:q", { text: "more" });
  await rig.came(inbox, 1, tenLeases);
  await inbox.accept();
});

onWire("what a receiver holds is renewed by another connection before its lease ends", async (rig, wire) => {
  const { cutOff, other, proxy } = wire;
  const inbox = await rig.receive(cutOff, "q", { credit: 2 });
  await rig.send(other, "queue:q", { text: "held" });
  await rig.came(inbox, 1);
  proxy.stall();
  const leasedUntil = async (): Promise<number> =>
    Number((await rig.select("SELECT leased_until FROM hero_queue_messages"))[0]?.["leased_until"]);
  const first = await leasedUntil();
  await rig.until("it to be renewed", async () => await leasedUntil() > first);
  assertEquals(inbox.lostDeliveries.length, 0);
  await inbox.accept();
  assertEquals(await other.admin?.count("q"), { waiting: 0, active: 0, delayed: 0 });
}, "3s");

onWire("what is sent on a silent connection is told of as unknown, and the next is sent", async (rig, wire) => {
  const { cutOff, other, proxy } = wire;
  await rig.send(cutOff, "queue:q", { text: "before" });
  // Behind what its news says first, as that is prepared, the next would wait unsent.
  await cutOff.admin?.count("q");
  proxy.stall();
  await assertRejects(() => rig.send(cutOff, "queue:q", { text: "lost" }), OutcomeUnknownError);
  await rig.send(cutOff, "queue:q", { text: "after" });
  assertEquals((await other.admin?.count("q"))?.waiting, 2);
});

onWire("what is sent while no connection comes about has not been written, and waits for one", async (rig, wire) => {
  const { cutOff, other, proxy } = wire;
  const inbox = await rig.receive(cutOff, "q");
  await rig.hungry(inbox);
  proxy.drop(() => true);
  const before = proxy.taken;
  await proxy.cut();
  // It has the only connection there may be: what is sent stands behind it, and hears of the loss, not of why it came.
  await rig.until("the receiver to connect", () => proxy.taken > before, tenLeases);
  const sent = rig.send(cutOff, "queue:p", { text: "late" });
  await rig.until("others to be tried", () => proxy.taken > before + 2, tenLeases);
  proxy.drop(() => false);
  await sent;
  assertEquals((await other.admin?.count("p"))?.waiting, 1);
});

onWire("a settlement on a silent connection is written by another", async (rig, wire) => {
  const { cutOff, other, proxy } = wire;
  const inbox = await rig.receive(cutOff, "q", { credit: 2 });
  await rig.send(other, "queue:q", { text: "a" }, { text: "b" });
  await rig.came(inbox, 2);
  proxy.stall();
  const [first, second] = inbox.unsettled;
  await inbox.accept(first && [first]);
  proxy.stall();
  await inbox.settle({ outcome: "move", to: "queue:p", headers: {} }, second && [second]);
  assertEquals(await other.admin?.count("q"), { waiting: 0, active: 0, delayed: 0 });
  assertEquals((await other.admin?.count("p"))?.waiting, 1);
});

onWire("an operator whose connection is silent is told so, and answered at the next call", async (_rig, wire) => {
  const { cutOff, proxy } = wire;
  await cutOff.admin?.count("q");
  for (
    const ask of [
      () => cutOff.admin?.count("q"),
      () => cutOff.admin?.purge("q"),
      () => cutOff.admin?.browse("q", undefined, 10),
      () => cutOff.deploy(topology(["q"]), "check"),
      () => cutOff.cancel?.("1"),
    ]
  ) {
    await ask();
    proxy.stall();
    await assertRejects(async () => await ask(), StoreUnavailableError);
    await ask();
  }
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
