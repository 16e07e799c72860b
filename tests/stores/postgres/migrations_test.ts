/** Making the tables: with few rights, by hand, and beside what a newer version has made. */
import { assertEquals } from "@std/assert";
import { postgres } from "../../../stores/postgres/mod.ts";
import { onPostgres } from "./opened.ts";
import { url } from "./server.ts";

onPostgres("who may make no schemas makes its tables in one that is there", async (opened) => {
  const { bench: { sql, schema } } = opened;
  const role = `role_${schema}`;
  await sql.unsafe(`CREATE ROLE ${role} LOGIN; CREATE SCHEMA "${schema}"`);
  await sql.unsafe(`GRANT USAGE, CREATE ON SCHEMA "${schema}" TO ${role}`);
  try {
    const store = await opened.open(postgres({ url: url.replace("postgres@", `${role}@`), schema }));
    assertEquals(await store.deploy("check"), []);
    const unit = await store.begin(opened.scope({ inbox: [opened.key("m")] }));
    assertEquals((await unit.commit(opened.changes({ outbox: [opened.row()] }))).length, 1);
    await store.close();
  } finally {
    await sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

onPostgres("what a newer version has applied is told, and left as it is", async (opened) => {
  const { bench: { sql, schema } } = opened;
  const store = await opened.store();
  await sql.unsafe(`INSERT INTO "${schema}".hero_migrations (id) VALUES ('9999_later')`);
  for (const mode of ["plan", "check", "apply"] as const) {
    assertEquals((await store.deploy(mode)).map(({ kind, entity }) => [kind, entity]), [
      ["extra", "migration:9999_later"],
    ]);
  }
  const [found] = await sql.unsafe(`SELECT count(*)::int AS n FROM "${schema}".hero_migrations WHERE id LIKE '9999%'`);
  assertEquals(found?.["n"], 1);
});

onPostgres("the scripts that it prints make what it makes, by other means", async (opened) => {
  const { bench: { sql } } = opened;
  const store = opened.bench.store();
  for (const { script } of store.migrations()) await sql.unsafe(script);
  await opened.open(store);
  assertEquals(await store.deploy("plan"), []);
  const unit = await store.begin(opened.scope());
  assertEquals((await unit.commit(opened.changes({ outbox: [opened.row()] }))).length, 1);
});
