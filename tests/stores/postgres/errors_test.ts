/** What PostgreSQL's errors become. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import client from "postgres";
import { createBus } from "../../../mod.ts";
import { ConfigurationError, InvalidNameError } from "../../../src/errors/configuration.ts";
import {
  ConflictError,
  OutcomeUnknownError,
  StoreCorruptError,
  StoreFullError,
  StoreReadOnlyError,
  StoreTimeoutError,
  StoreUnavailableError,
} from "../../../src/errors/store.ts";
import { AccessRefusedError, TopologyError } from "../../../src/errors/transport.ts";
import { loadClient } from "../../../stores/postgres/client.ts";
import { explain, explainCommit, explainOwn } from "../../../stores/postgres/errors.ts";
import { Inbox } from "../../../stores/postgres/inbox.ts";
import { postgres } from "../../../stores/postgres/mod.ts";
import { Names } from "../../../stores/postgres/names.ts";
import { refused } from "../../../stores/postgres/statement.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { test } from "../../support/runner.ts";
import { onPostgres } from "./opened.ts";
import { pgClient } from "./pg_client.ts";
import { url } from "./server.ts";

/** As drivers throw them. */
function thrown(code: string, message = "as the server says"): Error {
  return Object.assign(new Error(message), { code });
}

for (
  const [code, kind] of [
    ["40001", ConflictError],
    ["40P01", ConflictError],
    ["42P01", TopologyError],
    ["42703", TopologyError],
    ["3F000", TopologyError],
    ["25006", StoreReadOnlyError],
    ["53100", StoreFullError],
    ["XX001", StoreCorruptError],
    ["28P01", AccessRefusedError],
    ["42501", AccessRefusedError],
    ["57014", StoreTimeoutError],
    ["55P03", StoreTimeoutError],
    ["53300", StoreUnavailableError],
    ["3D000", StoreUnavailableError],
    ["57P01", StoreUnavailableError],
    ["08006", StoreUnavailableError],
    ["CONNECTION_CLOSED", StoreUnavailableError],
    ["ECONNREFUSED", StoreUnavailableError],
    ["EPIPE", StoreUnavailableError],
  ] as const
) {
  test(`PostgreSQL: ${code} of the store's own statement is a ${kind.name}, with its cause`, () => {
    const error = thrown(code);
    const found = explainOwn(error, "db");
    assert(found instanceof kind, String(found));
    assertEquals(found.cause, error);
    assertEquals(explainOwn(found, "db"), found);
  });
}

test("PostgreSQL: what refuses a user is told in the server's words", () => {
  const found = explainOwn(thrown("28P01", 'password authentication failed for user "app"'), "db");
  assert(found instanceof AccessRefusedError);
  assertStringIncludes(
    found.message,
    '"db": access was refused (password authentication failed for user "app"). Check',
  );
});

/** What the server says of a constraint, of a value and of a key, as it has it in several languages. */
const languages: readonly (readonly [
  constraint: (name: string) => string,
  value: (text: string) => string,
  key: (text: string) => string,
])[] = [
  [
    (name) => `duplicate key value violates unique constraint "${name}"`,
    (text) => `invalid input syntax for type integer: "${text}"`,
    (text) => `Key ${text} already exists.`,
  ],
  [
    (name) => `doppelter Schlüsselwert verletzt Unique-Constraint »${name}«`,
    (text) => `ungültige Eingabesyntax für Typ integer: »${text}«`,
    (text) => `Schlüssel »${text}« existiert bereits.`,
  ],
  [
    (name) => `la valeur d'une clé dupliquée rompt la contrainte unique « ${name} »`,
    (text) => `syntaxe en entrée invalide pour le type integer : « ${text} »`,
    (text) => `La clé « ${text} » existe déjà.`,
  ],
  [
    (name) => `重複したキー値は一意性制約"${name}"違反となります`,
    (text) => `"integer"型の入力構文が不正です: "${text}"`,
    (text) => `キー ${text} はすでに存在します。`,
  ],
];
for (const [constraint, value, key] of languages) {
  test(`PostgreSQL: a refusal is understood in the server's language: ${constraint("…")}`, () => {
    const inbox = new Inbox(new Names("app", "shop_"));
    const keys = Array.from({ length: 20 }, (_, at) => ({ endpoint: "orders", messageId: `m${at}` }));
    const one = keys.slice(0, 1);
    const handled = thrown("23505", constraint("shop_inbox_pkey"));
    assertEquals(inbox.refused(handled, one), 0);
    assertEquals(inbox.refused(thrown("23505", constraint("my_shop_inbox_pkey")), one), undefined);
    assertEquals(inbox.refused(thrown("23505", constraint("shop_inbox_pkey1")), one), undefined);
    assertEquals(inbox.refused(thrown("22P02", value("hero duplicate 12")), keys), 11);
    assertEquals(inbox.refused(handled, keys), undefined);
    const detail = key("(bus, endpoint, message_id)=(app, orders, m12)");
    assertEquals(inbox.refused(Object.assign(handled, { detail }), keys), 12);
    assertEquals(refused(thrown("22P02", value("hero conflict 3")), "conflict"), 2);
    assertEquals(refused(thrown("22P02", value("hero conflict 3")), "duplicate"), undefined);
  });
}

test("PostgreSQL: what is lost while it commits has an unknown outcome, unless it was never sent", () => {
  for (const code of ["CONNECTION_CLOSED", "CONNECTION_DESTROYED", "ECONNRESET", "EPIPE", "57P01", "57P02", "08006"]) {
    assert(explainCommit(thrown(code), "db") instanceof OutcomeUnknownError, code);
  }
  for (const code of ["ECONNREFUSED", "CONNECT_TIMEOUT", "57P03"]) {
    assert(explainCommit(thrown(code), "db") instanceof StoreUnavailableError, code);
  }
  assert(explainCommit(thrown("40001"), "db") instanceof ConflictError);
});

test("PostgreSQL: what a handler's statement does wrong stays as the driver says it", () => {
  const states = ["23505", "22012", "42601", "42P01", "57014"];
  for (const code of [...states, "UNDEFINED_VALUE", "MAX_PARAMETERS_EXCEEDED", "ERR_INVALID_ARG_TYPE"]) {
    const error = thrown(code);
    assertEquals(explain(error, "db"), error);
  }
  assertEquals(explain("text", "db"), "text");
});

test("PostgreSQL: a client that is not installed is named, with how to install it", async () => {
  const missing = new Error("Cannot find package");
  const error = await assertRejects(() => loadClient(() => Promise.reject(missing)), ConfigurationError, "npm install");
  assertEquals(error.cause, missing);
});

test("PostgreSQL: options that are none are refused when the store is made", () => {
  for (const name of ["", "1a", 'a"; DROP TABLE x; --', "a b", "a.b", "ä", "a".repeat(31)]) {
    assertThrows(() => postgres({ url, schema: name }), InvalidNameError);
    assertThrows(() => postgres({ url, prefix: name }), InvalidNameError);
  }
  assertThrows(() => postgres({ url, max: 0 }), ConfigurationError);
  assertThrows(() => postgres({ url, pollInterval: 0 }), ConfigurationError);
  const { message } = assertThrows(() => postgres("mysql://user:secret@host/db"), ConfigurationError);
  assert(!message.includes("secret"));
});

test("PostgreSQL: options in another's place are refused, with where they belong", () => {
  const given: readonly (readonly [() => unknown, string])[] = [
    [() => Reflect.apply(postgres, undefined, [url, { max: 5 }]), "postgres({ url, … })"],
    [() => Reflect.apply(postgres, undefined, [{ url, ssl: true }]), "Write { connection: { ssl } }"],
    [() => Reflect.apply(postgres, undefined, [{ url, idle_timeout: 5 }]), "leave it out"],
    [() => Reflect.apply(postgres, undefined, [{ url, connection: { max: 5 } }]), "postgres({ url, max, connection })"],
    [() => Reflect.apply(postgres, undefined, [{ url, connection: { max_lifetime: 5 } }]), "leave it out"],
    [() => Reflect.apply(postgres, undefined, [client(url)]), "it is a client of postgres.js"],
    [() => Reflect.apply(postgresTransport, undefined, [client]), "no client of postgres.js"],
  ];
  for (const [make, what] of given) assertThrows(make, ConfigurationError, what);
  postgres({ url, connection: { ssl: false, connect_timeout: 5 } });
  Reflect.apply(postgres, undefined, [url, undefined]);
});

onPostgres("a setting in the URL that the server does not know ends the start", async (opened) => {
  const store = postgres({ url: `${url}?schema=app`, schema: opened.bench.schema });
  const { signal } = new AbortController();
  const open = () => store.open({ bus: "app", clock: opened.clock, signal, status: () => {} });
  await assertRejects(open, ConfigurationError, `parameter "schema". Take it out of the URL`);
  await store.close();
});

test("PostgreSQL: a password that is not percent-encoded is refused where the URL would mean another place", () => {
  for (const password of ["se#cret", "se/cret", "p@se/cret", "se?cret", "1#2", "1/2", "se%cret"]) {
    for (const make of [postgres, postgresTransport]) {
      const error = assertThrows(
        () => make(`postgres://user:${password}@host:5432/db`),
        ConfigurationError,
        "encodeURIComponent",
      );
      assert(!error.message.includes("cret") && !error.message.includes("2@"), error.message);
    }
    postgres(`postgres://user:${encodeURIComponent(password)}@host:5432/db`);
  }
  for (
    const good of [
      "postgres://host/db",
      "postgres:///db",
      "postgresql://user@host",
      "postgres://user:p@host,other:5433/db?sslmode=require",
      "postgres://user:p@%2Fvar%2Frun%2Fpostgresql/db",
      "postgres://[::1]:5432/db",
      "postgres://host/db?user=a@b",
    ]
  ) postgres(good);
});

onPostgres("a password with an @ is in no error, encoded or not", async (opened) => {
  const at = url.replace("postgres@", "postgres:se@cret@").replace(/[^/]*$/, "there_is_none");
  const store = postgres({ url: at, schema: opened.bench.schema });
  const { signal } = new AbortController();
  const open = () => store.open({ bus: "app", clock: opened.clock, signal, status: () => {} });
  const error = await assertRejects(open, ConfigurationError, "there_is_none");
  assert(!error.message.includes("cret"), error.message);
  await store.close();
});

onPostgres("tables that are missing are a TopologyError, which names the database and no password", async (opened) => {
  const store = postgres({ url: url.replace("postgres@", "postgres:secret@"), schema: opened.bench.schema });
  const signal = new AbortController().signal;
  await store.open({ bus: "app", clock: opened.clock, signal, status: () => {} });
  const error = await assertRejects(() => store.outbox.claim("app", 1, 1), TopologyError, "127.0.0.1");
  assert(!error.message.includes("secret"));
  assertEquals((await store.deploy("plan")).map(({ kind, entity }) => [kind, entity]), [
    ["create", "migration:0001_tables"],
    ["create", "migration:0002_saga_history"],
    ["create", "migration:0003_cancelled"],
    ["create", "migration:0004_outbox_in_place"],
    ["create", "migration:0005_runway"],
    ["create", "migration:0006_put_off"],
  ]);
  await store.close();
});

onPostgres("a database that is not there is waited for, until its bus gives up", async (opened) => {
  const store = postgres({ url: "postgres://postgres@127.0.0.1:1/x", schema: opened.bench.schema });
  const abort = new AbortController();
  const reason = new Error("given up");
  const status = () => abort.abort(reason);
  const opening = store.open({ bus: "app", clock: opened.clock, signal: abort.signal, status });
  assertEquals(await assertRejects(() => opening), reason);
  await store.close();
});

onPostgres("a database that the server does not have is no start's to wait for", async (opened) => {
  const store = postgres({ url: url.replace(/[^/]*$/, "there_is_none"), schema: opened.bench.schema });
  const { signal } = new AbortController();
  const open = () => store.open({ bus: "app", clock: opened.clock, signal, status: () => {} });
  await assertRejects(open, ConfigurationError, `there_is_none": the server has no such database. Create it`);
  await store.close();
});

onPostgres("health says what a bus that cannot start waits for", async (opened) => {
  const store = postgres({ url: "postgres://postgres@127.0.0.1:1/x", schema: opened.bench.schema });
  const bus = createBus({ name: "app", store });
  bus.endpoint("orders", { outbox: true });
  const told: unknown[] = [];
  bus.observe({ status: ({ state, cause }) => void (state === "down" && told.push(cause)) });
  const abort = new AbortController();
  const starting = bus.start({ signal: abort.signal });
  const ended = assertRejects(() => starting);
  await opened.until(
    "the store to be named",
    () =>
      bus.health().parts.some(({ name, status, reason }) =>
        name === "store postgres" && status === "unhealthy" &&
        reason?.startsWith('Cannot use "postgres" at "127.0.0.1:1/x": ') === true && reason.includes("ECONNREFUSED")
      ),
  );
  abort.abort(new Error("given up"));
  await ended;
  await bus.stop();
  assert(told[0] instanceof StoreUnavailableError);
});

onPostgres("who may not use the database is told so at once", async (opened) => {
  const { bench: { sql, schema }, clock } = opened;
  const role = `role_${schema}`;
  await sql.unsafe(`CREATE ROLE ${role} LOGIN`);
  try {
    await opened.store();
    const store = postgres({ url: url.replace("postgres@", `${role}@`), schema });
    await store.open({ bus: "app", clock, signal: new AbortController().signal, status: () => {} });
    await assertRejects(() => store.outbox.claim("app", 1, 1), AccessRefusedError);
    await assertRejects(() => store.deploy("apply"), AccessRefusedError);
    await store.close();
  } finally {
    await sql.unsafe(`DROP ROLE ${role}`);
  }
});

onPostgres(
  "a statement that takes too long is the handler's failure, and a read-only database is named",
  async (opened) => {
    await opened.store(); // makes the tables, which may take longer
    const impatient = await opened.store({ connection: { connection: { statement_timeout: 1_000 } } });
    const unit = await impatient.begin(opened.scope());
    const error = await assertRejects(() => unit.tx`SELECT pg_sleep(50)`.execute() as Promise<unknown>);
    assertEquals((error as { code?: string }).code, "57014");
    await unit.rollback();
    const reader = await opened.store({ connection: { connection: { default_transaction_read_only: true } } as never });
    await assertRejects(
      async () => await (await reader.begin(opened.scope())).commit(opened.changes({ outbox: [opened.row()] })),
      StoreReadOnlyError,
    );
    assertEquals((await reader.outbox.stats(opened.bus)).waiting, 0);
  },
);

onPostgres("a connection that is cut ends its unit, writes nothing, and is replaced", async (opened) => {
  const { bench: { sql } } = opened;
  for (
    const store of [
      await opened.store(),
      await opened.open(postgres({ client: pgClient(url), schema: opened.bench.schema })),
    ]
  ) {
    const unit = await store.begin(opened.scope({ inbox: [opened.key("m")] }));
    const tx = unit.tx as { unsafe?(text: string): Promise<unknown>; query?(text: string): Promise<unknown> };
    const run = async (text: string) => void await (tx.unsafe === undefined ? tx.query!(text) : tx.unsafe(text));
    await run(`CREATE TABLE "${opened.bench.schema}".lost (id int)`);
    const [killed] = await sql`
      SELECT count(pg_terminate_backend(pid))::int AS n FROM pg_stat_activity
      WHERE state = 'idle in transaction' AND query LIKE ${`%${opened.bench.schema}%lost%`}`;
    assertEquals(killed?.["n"], 1);
    await opened.until("the loss to be seen", () => run("SELECT 1").then(() => false, () => true));
    await assertRejects(() => unit.commit(opened.changes({ outbox: [opened.row()] })));
    assertEquals(
      (await sql`SELECT to_regclass(${`"${opened.bench.schema}".lost`})::text AS found`)[0]?.["found"],
      null,
    );
    const next = await store.begin(opened.scope({ inbox: [opened.key("m")] }));
    assertEquals(next.duplicates, [false]);
    await next.rollback();
    assertEquals((await store.outbox.stats(opened.bus)).waiting, 0);
  }
});
