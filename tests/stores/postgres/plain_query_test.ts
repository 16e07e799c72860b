/** Queries that the store makes in place of postgres.js. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import client, { type Row, type RowList, type Sql } from "postgres";
import { OutcomeUnknownError, StoreUnavailableError } from "../../../src/errors/store.ts";
import { explainCommit, UnsentError } from "../../../stores/postgres/errors.ts";
import { Line } from "../../../stores/postgres/line.ts";
import { sendPlain } from "../../../stores/postgres/plain_query.ts";
import { eventually } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";
import { onPostgres } from "./opened.ts";

const text = { tagged: false, args: [], options: { simple: true }, isRaw: "values" } as const;

onPostgres("a plain query gives what postgres.js' own does, in order with those", async ({ bench: { url } }) => {
  const one = client(url, { max: 1, fetch_types: false });
  try {
    const order: number[] = [];
    const add = (n: number) => () => void order.push(n);
    const own = one`SELECT 1`.then(add(1));
    const plain = sendPlain(one, { ...text, strings: ["SELECT 'a' AS name, 2 AS n"] });
    assert(plain !== undefined, "postgres.js makes other queries than those that are known: is plain_query.ts right?");
    await Promise.all([own, plain.result.then(add(2)), one`SELECT 3`.then(add(3))]);
    assertEquals(order, [1, 2, 3]);
    assertEquals([...await plain.result as unknown[]], [["a", 2]]);
    const strings = Object.assign(["SELECT ", "::int + ", "::int AS sum"], { raw: [] });
    const tagged = sendPlain(one, { tagged: true, strings, args: [1, 2], options: {}, isRaw: false });
    const sums = await tagged?.result as RowList<Row[]>;
    assertEquals([[...sums], sums.count, sums.columns[0]?.name], [[{ sum: 3 }], 1, "sum"]);
  } finally {
    await one.end();
  }
});

onPostgres("a plain query that fails says which it was", async ({ bench: { sql } }) => {
  const plain = sendPlain(sql, { ...text, strings: ["SELECT nothing"] });
  const error = await assertRejects(() => plain?.result ?? Promise.resolve(), Error, 'column "nothing" does not exist');
  assertEquals(Reflect.get(error, "query"), "SELECT nothing");
});

onPostgres("a unit's query is cancelled while it runs, and not once it has ended", async (opened) => {
  const store = await opened.store();
  const { sql, schema } = opened.bench;
  const unit = await store.begin(opened.scope());
  const ended = unit.tx`SELECT 1 AS one`;
  assertEquals([...await ended], [{ one: 1 }]);
  const slept = unit.tx.unsafe(`SELECT pg_sleep(600), '${schema}'`);
  const refused = assertRejects(() => slept as Promise<unknown>, Error, "canceling statement due to user request");
  const running = () =>
    sql`SELECT FROM pg_stat_activity WHERE query LIKE ${`SELECT pg_sleep(600), '${schema}'%`} AND state = 'active'`;
  await eventually(opened.clock, "the query to run", async () => (await running()).length > 0);
  ended.cancel(); // of what runs now it is none
  slept.cancel();
  await refused;
  await unit.rollback();
});

onPostgres("a client whose queries are made otherwise is asked by those", async ({ bench: { url } }) => {
  const sql = client(url, { max: 1, fetch_types: false });
  const unsafe = (text: string, ...rest: []) => text === "" ? {} : sql.unsafe(text, ...rest);
  const other = new Proxy(sql, { get: (target, name) => name === "unsafe" ? unsafe : Reflect.get(target, name) });
  const line = new Line({ owed() {}, forget() {} }, () => other);
  try {
    assertEquals([...await line.ask("SELECT $1::text, 2", ["a"], true)], [["a", 2]]);
    assertEquals(typeof line.process, "number");
  } finally {
    await line.end();
  }
});

for (const way of ["plain queries", "its own queries"]) {
  onPostgres(
    `what was handed to no connection, by ${way}, is known not to be written`,
    async ({ bench: { url, sql: other }, clock }) => {
      const sql = client(url, { max: 1, fetch_types: false });
      const own = new Proxy(sql, {
        get: (target, name) =>
          name !== "unsafe"
            ? Reflect.get(target, name)
            : (text: string, ...rest: []) => text === "" ? {} : sql.unsafe(text, ...rest),
      });
      const line = new Line({ owed() {}, forget() {} }, () => way === "plain queries" ? sql : own);
      const sent = line.ask("SELECT pg_sleep(600)", [], false);
      await eventually(clock, "it to be sent", () => line.process !== undefined);
      try {
        line.close();
        const lost = await assertRejects(() => sent);
        assert(explainCommit(lost, "db") instanceof OutcomeUnknownError, String(lost));
        const unsent = await assertRejects(() => line.ask("SELECT 1", [], false), UnsentError);
        assert(explainCommit(unsent, "db") instanceof StoreUnavailableError, String(unsent));
      } finally {
        // Until its statement has ended, the server keeps the connection, which would keep Node's process.
        await other`SELECT pg_terminate_backend(${line.process ?? 0})`;
      }
    },
  );
}

test("of a client whose queries are made otherwise nothing is sent", () => {
  const queries = [{}, { handler() {}, canceller() {} }, { tagged: false, handler() {} }];
  for (const query of queries) {
    const client = { unsafe: () => query } as unknown as Pick<Sql, "unsafe">; // what another version might make
    assertEquals(sendPlain(client, { ...text, strings: ["SELECT 1"] }), undefined);
  }
});
