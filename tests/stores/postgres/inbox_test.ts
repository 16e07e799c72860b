/** Several messages of one unit, of which another process has handled one meanwhile. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConflictError, DuplicateError } from "../../../src/errors/store.ts";
import type { InboxKey } from "../../../src/spi/rows.ts";
import type { Store } from "../../../src/spi/store.ts";
import { postgres, type SqlClient } from "../../../stores/postgres/mod.ts";
import { onPostgres, type Opened } from "./opened.ts";
import { pgClient, type PgTransaction } from "./pg_client.ts";

/** Has `store` begin a unit of messages, one of which is handled before the unit has used its transaction. */
async function late<Tx>(opened: Opened, store: Store<Tx>, keys: readonly InboxKey[], handled: InboxKey) {
  const unit = await store.begin(opened.scope({ inbox: keys }));
  assertEquals(unit.duplicates, keys.map(() => false));
  const other = await (await opened.store()).begin(opened.scope({ inbox: [handled] }));
  await other.commit(opened.changes({ outbox: [opened.row()] }));
  return unit;
}
async function handledOf(
  opened: Opened,
  store: Store<unknown>,
  keys: readonly InboxKey[],
): Promise<readonly boolean[]> {
  const unit = await store.begin(opened.scope({ inbox: keys }));
  await unit.rollback();
  return unit.duplicates;
}

const sets: Readonly<Record<string, readonly string[]>> = {
  "of plain names": ["c", "a", "b"],
  "of which one ends as another": ["b) and (a, endpoint, a", "a", "b"],
  "with what lists are divided by": ["a\x1fb", "a", "b"],
  "with what stands for NUL": ["a\0", "a", "'"],
  "with nothing in it": ["", "a", "b"],
};

for (const [name, ids] of Object.entries(sets)) {
  onPostgres(
    `of several messages ${name}, that which was handled meanwhile is said, and none is recorded`,
    async (opened) => {
      const store = await opened.store();
      const keys = ids.map((id) => opened.key(id));
      const unit = await late(opened, store, keys, keys[0]!);
      const error = await assertRejects(() => unit.tx`SELECT 1`.execute() as Promise<unknown>, DuplicateError);
      assertEquals(error.details, { endpoint: "endpoint", messageId: ids[0] });
      await assertRejects(() => unit.commit(opened.changes({ outbox: [opened.row()] })), DuplicateError);
      assertEquals(await handledOf(opened, store, keys), ids.map((_, at) => at === 0));
      const others = await store.begin(opened.scope({ inbox: keys.slice(1) }));
      await others.tx`SELECT 1`;
      await others.commit(opened.changes());
      assertEquals(await handledOf(opened, store, keys), ids.map(() => true));
    },
  );
}

onPostgres("messages of several endpoints are recorded, and refused, as those of one", async (opened) => {
  const store = await opened.store();
  const keys = ["a", "b", "a"].map((id, at) => ({ ...opened.key(id), endpoint: `endpoint ${at}` }));
  const unit = await late(opened, store, keys, keys[2]!);
  const error = await assertRejects(() => unit.tx`SELECT 1`.execute() as Promise<unknown>, DuplicateError);
  assertEquals(error.details, { endpoint: "endpoint 2", messageId: "a" });
  await unit.rollback();
  const again = await store.begin(opened.scope({ inbox: keys.slice(0, 2) }));
  await again.tx`SELECT 1`;
  await again.commit(opened.changes());
  assertEquals(await handledOf(opened, store, keys), [true, true, true]);
});

onPostgres("where the server does not say which of several was handled, they conflict", async (opened) => {
  const inner = pgClient(opened.bench.url);
  const hidden = async <Result>(answer: Promise<Result>): Promise<Result> => {
    try {
      return await answer;
    } catch (error) {
      throw Object.assign(error as Error, { detail: undefined });
    }
  };
  const client: SqlClient<PgTransaction> = {
    ...inner,
    connect: async (signal) => {
      const connection = await inner.connect(signal);
      return Object.create(connection, {
        query: { value: (...query: [string]) => hidden(connection.query(...query)) },
      });
    },
  };
  const store = await opened.open(postgres({ client, schema: opened.bench.schema, listen: false }));
  const keys = ["a", "b"].map((id) => opened.key(id));
  const unit = await late(opened, store, keys, keys[1]!);
  const error = await assertRejects(() => unit.tx.query("SELECT 1"), ConflictError);
  assert((error.cause as { code?: string }).code === "23505");
  await unit.rollback();
});
