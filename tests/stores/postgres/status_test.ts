/** What a store says of its database. */
import { assertEquals, assertRejects } from "@std/assert";
import { StoreUnavailableError } from "../../../src/errors/store.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { onPostgres } from "./opened.ts";
import { url } from "./server.ts";

onPostgres("a database that is away is not said to be there by who is about to ask it", async (opened) => {
  const there = new URL(url);
  const proxy = await TcpProxy.to(Number(there.port));
  there.port = String(proxy.port);
  const store = await opened.store({ url: String(there), listen: false }).finally(() => proxy[Symbol.asyncDispose]());
  await assertRejects(() => store.outbox.stats(opened.bus), StoreUnavailableError);
  assertEquals(opened.states.at(-1), "down");
  const before = opened.states.length;
  for (let round = 0; round < 2; round++) {
    const unit = await store.begin(opened.scope());
    const changes = opened.changes({ outbox: [opened.row()], schedules: [{ put: opened.schedule() }] });
    await assertRejects(() => unit.commit(changes), StoreUnavailableError);
  }
  assertEquals(opened.states.slice(before), []);
});
