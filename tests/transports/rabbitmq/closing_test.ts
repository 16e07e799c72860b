/** A transport that closes: what its handlers end by then is told, and it takes no longer than it may. */
import { assert, assertEquals } from "@std/assert";
import { HeroError } from "../../../src/errors/hero_error.ts";
import { Inbox } from "../../conformance/transport/inbox.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { rig } from "./rig.ts";

rig("what a broker does not answer any more fails when the transport closes, which it does in time", async (rig) => {
  const queue = await rig.queue();
  const inbox = await rig.receive(queue);
  await rig.send(`queue:${queue}`, "held");
  await rig.came(inbox, 1);
  rig.bench.wire(rig.transport).stall();
  const { transport } = rig;
  const waiting: Readonly<Record<string, Promise<unknown>>> = {
    deploy: transport.deploy(topology([queue]), "apply"),
    count: transport.admin?.count(queue) ?? Promise.reject(new Error("It has none")),
    receive: rig.receive(queue),
    send: rig.send(`queue:${queue}`, "never"),
    delay: rig.send(`queue:${queue}`, "later", { dueAt: rig.clock.now() + 60_000 }),
    settle: inbox.accept(),
  };
  const told = new Map<string, unknown>();
  for (const [what, promise] of Object.entries(waiting)) {
    void promise.then(() => told.set(what, "done"), (error) => told.set(what, error));
  }
  const deadline = rig.clock.now() + 300;
  await transport.close(deadline);
  assert(rig.clock.now() < deadline + 2_000, `Closing took ${rig.clock.now() - deadline} ms more than it had`);
  const { settle: _, ...asked } = waiting;
  await rig.until("all to be told", () => told.size === Object.keys(waiting).length);
  for (const what of Object.keys(asked)) {
    const error = told.get(what);
    assert(error instanceof HeroError, `${what}: ${error}`);
    assert(["HERO_CLOSED", "HERO_DISCONNECTED"].includes(error.code), `${what}: ${error.code}`);
  }
  assertEquals(inbox.lostDeliveries.length, 1);
});

rig("what is accepted once a source stops is acknowledged without a wait for more", async (rig) => {
  const queue = await rig.queue();
  for (const each of ["a", "b", "c"]) await rig.send(`queue:${queue}`, each);
  await rig.bench.prepare(1);
  const transport = rig.bench.connect();
  const clock = new FakeClock(); // it stands: no wait ends
  await transport.open({ bus: "test", clock, signal: new AbortController().signal, status: () => {} });
  const inbox = new Inbox(100, rig.violations, () => clock.now());
  const source = { queue, topics: [], lifetime: "durable", ordered: false, holdMs: 60_000, extensions: [] } as const;
  inbox.receiver = await transport.receive({ ...source, credit: 100 }, inbox);
  await rig.came(inbox, 3);
  await inbox.stop();
  let heard = false;
  void inbox.accept().then(() => heard = true);
  await rig.until("the broker to have heard of all", () => heard);
  await transport.close(clock.now() + 1_000);
  assertEquals(await rig.raw((channel) => channel.get(queue)), false);
});
