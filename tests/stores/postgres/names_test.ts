/** Names and values that others give stay what they are, and keep stores apart. */
import { assertEquals } from "@std/assert";
import { onPostgres } from "./opened.ts";

onPostgres("schemas, prefixes, tokens, keys and indexes cannot say anything but themselves", async (opened) => {
  const store = await opened.store();
  const evil = `'); DROP SCHEMA "${opened.bench.schema}" CASCADE; --"\\`;
  const row = opened.schedule({ token: evil, key: evil, id: evil, to: `queue:${evil}` as never });
  const unit = await store.begin(opened.scope({ bus: evil, inbox: [{ ...opened.key(evil), endpoint: evil }] }));
  await unit.commit(opened.changes({ schedules: [{ put: row }, { cancel: `${evil}x` }] }));
  assertEquals((await store.schedules.claim(evil, 10, 1_000)).map((each) => each.row), [row]);
  assertEquals(await store.schedules.unpark(evil, [evil]), 0);
  const reader = await store.begin(opened.scope({ bus: evil }));
  assertEquals(await reader.find(evil, { [evil]: evil }, evil, 10), []);
  assertEquals(await store.lease(evil, evil, 1_000), { fence: 1 });
  await reader.rollback();
});

onPostgres("several prefixes and schemas in one database do not meet", async (opened) => {
  const stores = [await opened.store(), await opened.store({ prefix: "other_" })];
  const unit = await stores[0]!.begin(opened.scope({ inbox: [opened.key("m")] }));
  await unit.commit(opened.changes({ outbox: [opened.row()] }));
  const other = await stores[1]!.begin(opened.scope({ inbox: [opened.key("m")] }));
  assertEquals(other.duplicates, [false]);
  assertEquals((await stores[1]!.outbox.stats(opened.bus)).waiting, 0);
  await other.rollback();
});
