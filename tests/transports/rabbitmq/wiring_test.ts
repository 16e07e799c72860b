/** Two connections that come and go, each when it likes. */
import { assertEquals } from "@std/assert";
import { settingsOf } from "../../../transports/rabbitmq/options.ts";
import { Wiring } from "../../../transports/rabbitmq/wiring.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { test } from "../../support/runner.ts";
import { fakeClient, FakeModel } from "./fake_client.ts";

/** Begins to connect; each connection is made when it is called. */
async function wired() {
  const made: Record<string, (model: FakeModel) => void> = {};
  const client = fakeClient(({ clientProperties }) => {
    const { connection_name: name } = clientProperties as { readonly connection_name: string };
    const { promise, resolve } = Promise.withResolvers<FakeModel>();
    made[name] = resolve;
    return promise;
  });
  const clock = new FakeClock();
  const told: string[] = [];
  const host = { bus: "test", clock, signal: new AbortController().signal, status: () => {} };
  const wiring = new Wiring(client, settingsOf({}), host, {
    receivers: new Set(),
    consumingUp: () => void told.push("consuming"),
    up: () => void told.push("up"),
    down: () => void told.push("down"),
    blocked: () => {},
  });
  wiring.start();
  await eventually(realTime(), "both to connect", () => Object.keys(made).length === 2);
  const connect = (name: "publish" | "consume"): FakeModel => {
    const model = new FakeModel();
    made[`test (${name})`]?.(model);
    return model;
  };
  const ready = () => [wiring.consuming.ready, wiring.publishing.ready];
  return { wiring, told, connect, ready, pass: () => eventually(realTime(), "a turn", () => true) };
}

test("rabbitmq: nothing is published before what it needs is declared on the other connection", async () => {
  const { wiring, told, connect, ready, pass } = await wired();
  connect("publish");
  await pass();
  assertEquals([ready(), told], [[false, false], []]);
  connect("consume");
  await pass();
  assertEquals([ready(), told], [[true, true], ["consuming", "up"]]);
  await wiring.close(0);
});

test("rabbitmq: a transport is up once both connections are, and again when the one that was lost is", async () => {
  const { wiring, told, connect, ready, pass } = await wired();
  connect("consume");
  await pass();
  assertEquals([ready(), told], [[true, false], ["consuming"]]);
  const lost = connect("publish");
  await pass();
  assertEquals([ready(), told], [[true, true], ["consuming", "up"]]);
  lost.emit("close", new Error("gone"));
  await pass();
  assertEquals([ready(), told], [[true, false], ["consuming", "up", "down"]]);
  connect("publish");
  await pass();
  assertEquals([ready(), told], [[true, true], ["consuming", "up", "down", "up"]]);
  await wiring.close(0);
});
