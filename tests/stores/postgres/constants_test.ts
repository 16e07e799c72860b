/** What stands in a statement's text, as it is the same for many messages. */
import { assertEquals, assertRejects } from "@std/assert";
import { DuplicateError } from "../../../src/errors/store.ts";
import type { OutboxRow } from "../../../src/spi/rows.ts";
import type { Leased } from "../../../src/spi/store.ts";
import { ConstantTexts } from "../../../stores/postgres/constants.ts";
import { test } from "../../support/runner.ts";
import { onPostgres } from "./opened.ts";

test("a text is made once for two constants", () => {
  let made = 0;
  const texts = new ConstantTexts((first, second) => `${++made}: ${first}, ${second}`);
  assertEquals(texts.of("app", "orders"), "1: 'app'::text, 'orders'::text");
  assertEquals(texts.of("app", "application/json"), "2: 'app'::text, 'application/json'::text");
  assertEquals(texts.of("orders", "app"), "3: 'orders'::text, 'app'::text");
  assertEquals(texts.of("app", "orders"), "1: 'app'::text, 'orders'::text");
});

test("what a server could take for anything but a text stands in none", () => {
  const texts = new ConstantTexts((first, second) => first + second);
  for (const odd of ["it's", "back\\slash", "$1", "null\0", "line\nbreak", "é", "\u202e", '"', "%", "a;b--'"]) {
    assertEquals([texts.of(odd, "orders"), texts.of("app", odd)], [undefined, undefined], odd);
  }
});

test("no more texts are made than a connection may have prepared", () => {
  const texts = new ConstantTexts((_, second) => second);
  const made = Array.from({ length: 200 }, (_, number) => texts.of("app", `endpoint-${number}`));
  assertEquals(made.filter((each) => each !== undefined).length, 100);
  assertEquals(texts.of("app", "endpoint-0"), "'endpoint-0'::text");
  assertEquals(texts.of("other", "endpoint-0"), undefined);
});

for (const bus of ["app", "l'été \\ $1 \0 ☂"]) {
  onPostgres(`a unit's record and message are what it wrote, of the bus ${JSON.stringify(bus)}`, async (opened) => {
    const [store, other] = [await opened.store(), await opened.store()];
    const scope = (id: string) => opened.scope({ bus, inbox: [{ ...opened.key(id), endpoint: bus }], leaseMs: 1 });
    const row = opened.row({
      id: `${bus} 1`,
      group: bus,
      to: `queue:${bus}`,
      frame: { contentType: bus, headers: { text: bus, number: 1 }, body: new Uint8Array([0, 39, 92, 255]) },
    });
    const [mine, theirs] = [await store.begin(scope("a")), await other.begin(scope("a"))];
    await mine.tx`SELECT 1`;
    const [leased, ...more] = await mine.commit(opened.changes({ outbox: [row] }));
    assertEquals([leased?.row, leased?.fence, leased?.attempts, more], [row, 1, 0, []]);
    const late = await assertRejects(async () => await theirs.tx`SELECT 1`, DuplicateError);
    assertEquals([late.details.endpoint, late.details.messageId], [bus, "a"]);
    await theirs.rollback();
    const again = await store.begin(scope("a"));
    assertEquals(again.duplicates, [true]);
    await again.rollback();

    let claimed: readonly Leased<OutboxRow>[] = [];
    await opened.until("its lease is over", async () => {
      claimed = await other.outbox.claim(bus, 10, 60_000);
      return claimed.length > 0;
    });
    assertEquals(claimed.map(({ row, fence }) => [row, fence]), [[row, 2]]);
    assertEquals((claimed[0]?.until ?? 0) > (leased?.until ?? Infinity), true);

    const twice = await store.begin(scope("b"));
    await twice.tx`SELECT 1`;
    assertEquals(await twice.commit(opened.changes({ outbox: [row] })), [], "the row is there");
  });
}

onPostgres("what is due later, expires, or goes by key, is written with all of that", async (opened) => {
  const store = await opened.store();
  const at = opened.clock.now() + 3_600_000;
  const rows = [{ dueAt: at }, { expiresAt: at }, { key: "k" }].map((each) => opened.row(each));
  for (const row of rows) {
    const unit = await store.begin(opened.scope());
    await unit.tx`SELECT 1`;
    const leased = await unit.commit(opened.changes({ outbox: [row] }));
    assertEquals(leased.map(({ row }) => row), row.dueAt === at ? [] : [row]);
  }
  const { sql, schema } = opened.bench;
  const found = await sql`SELECT id, "key", expires_at::float8 AS expires, free_at >= ${at} AS later
    FROM ${sql(`${schema}.hero_outbox`)} ORDER BY place`;
  assertEquals(
    found.map((row) => [row["id"], row["key"], row["expires"], row["later"]]),
    rows.map(({ id, key, expiresAt, dueAt }) => [id, key ?? null, expiresAt ?? null, dueAt === at]),
  );
});
