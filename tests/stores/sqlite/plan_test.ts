import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import type { OutboxRow } from "../../../src/spi/rows.ts";
import type { DueTable } from "../../../stores/sqlite/due_table.ts";
import { changes, frame } from "../../conformance/store/trial.ts";
import { test } from "../../support/runner.ts";
import { Connection } from "../../../stores/sqlite/connection.ts";
import { Inbox } from "../../../stores/sqlite/inbox.ts";
import { Leases } from "../../../stores/sqlite/leases.ts";
import { tables } from "../../../stores/sqlite/migrations/0001_tables.ts";
import { cancelled } from "../../../stores/sqlite/migrations/0003_cancelled.ts";
import { putOff } from "../../../stores/sqlite/migrations/0004_put_off.ts";
import { Outbox } from "../../../stores/sqlite/outbox.ts";
import { Sagas } from "../../../stores/sqlite/sagas.ts";
import { Schedules } from "../../../stores/sqlite/schedules.ts";

/** Does what is done with rows that are due. */
function useDue<Row extends OutboxRow>(connection: Connection, due: DueTable<Row>): void {
  due.next(connection, "bus", 50);
  due.any(connection, "bus", 200);
  const [first, second, third] = due.claim(connection, "bus", 10, 10, 200);
  due.done(connection, [first!]);
  due.later(connection, [{ leased: second!, dueAt: 300, error: "x", park: true }], 200);
  if (third !== undefined) due.later(connection, [{ leased: third, dueAt: 300, error: "x", park: false }], 200);
  due.parked(connection, "bus", undefined, 10);
  due.parked(connection, "bus", "a", 10);
  due.unpark(connection, "bus", ["a", "b", "c"], 200);
  due.discard(connection, "bus", ["a", "b", "c"]);
  due.stats(connection, "bus", 200);
}

/** Does everything once, and gives the statements. */
function statements(database: DatabaseSync): readonly string[] {
  const said = new Set<string>();
  const connection = new Connection({
    isTransaction: true,
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      said.add(sql);
      return database.prepare(sql);
    },
    close: () => {},
  });
  const row = (id: string) => ({
    id,
    group: id,
    key: "k",
    to: "queue:a",
    frame: frame(id),
    dueAt: 0,
    expiresAt: undefined,
  });
  const [outbox, schedules] = [new Outbox("p_"), new Schedules("p_")];
  const rows = ["a", "b", "c"].map(row);
  const { leased } = outbox.write(connection, "bus", rows, 10, 100);
  assertEquals(leased.length, 3);
  outbox.write(connection, "bus", [{ ...row("first"), dueAt: 1 }], 10, 100);
  outbox.done(connection, outbox.write(connection, "bus", [{ ...row("free"), key: undefined }], 10, 100).leased);
  schedules.write(
    connection,
    "bus",
    [...rows.map((each) => ({ put: { ...each, token: each.id } })), { cancel: "b" }, {
      cancel: "d",
      group: "g",
    }],
    100,
  );
  schedules.sweep(connection, 10, 100);
  useDue(connection, outbox);
  useDue(connection, schedules);
  const inbox = new Inbox("p_");
  const key = { endpoint: "e", messageId: "m", keepUntil: 1 };
  inbox.record(connection, "bus", [key]);
  inbox.handled(connection, "bus", key);
  inbox.sweep(connection, 10, 100);
  new Leases("p_").take(connection, "name", "owner", 1, 1);
  const sagas = new Sagas("p_");
  const first = {
    saga: "s",
    id: "1",
    incarnation: "i",
    version: 1,
    schema: 1,
    state: "s",
    data: new Uint8Array(),
    types: undefined,
    index: { a: "1" },
  };
  for (const [before, after] of [[undefined, first], [first, { ...first, index: {} }], [first, undefined]] as const) {
    const { sagas: all } = changes({ sagas: [{ before, after }] });
    sagas.check(connection, "bus", all);
    sagas.apply(connection, "bus", all);
  }
  sagas.load(connection, "bus", "s", "1");
  sagas.find(connection, "bus", "s", { a: "1", b: "2" }, "0", 10);
  return [...said];
}

test("no statement goes through a whole table, or sorts what it finds", () => {
  const database = new DatabaseSync(":memory:");
  try {
    database.exec(tables.script("p_") + cancelled.script("p_") + putOff.script("p_"));
    const all = statements(database);
    assert(all.length > 40, `${all.length} statements`);
    assert(all.some((sql) => sql.includes("place > ?")), "what comes next in a key");
    for (const sql of all) {
      const places = sql.match(/\?\d?/g) ?? [];
      const numbered = places.map((place) => Number(place.slice(1)));
      const values = Array.from({ length: Math.max(...numbered, 0) || places.length }, () => 1);
      const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values).map((each) => String(each["detail"]));
      // By a pair, (due_at, place) > (?, ?), SQLite would pass over all of the same time.
      if (sql.includes("place > ?")) {
        assert(plan.some((step) => step.includes("due_at=? AND place>?")), plan.join("; "));
      }
      for (const step of plan) {
        assert(
          !/^SCAN (?!CONSTANT|\d+ CONSTANT|json_each)/.test(step) && !/TEMP B-TREE/.test(step),
          `${sql}: ${plan.join("; ")}`,
        );
      }
    }
  } finally {
    database.close();
  }
});

test("a claim passes over nothing that is put off, however much that is", () => {
  const database = new DatabaseSync(":memory:");
  try {
    database.exec(tables.script("p_") + cancelled.script("p_") + putOff.script("p_"));
    const outbox = new Outbox("p_");
    const connection = new Connection({
      isTransaction: true,
      exec: (sql) => database.exec(sql),
      prepare: (sql) => database.prepare(sql),
      close: () => {},
    });
    const row = (id: string, key: string | undefined) =>
      ({ id, group: id, key, to: "queue:a", frame: frame(id), dueAt: 0, expiresAt: undefined }) as const;
    const put = (id: string, key?: string) => outbox.write(connection, "bus", [row(id, key)], 1, 100).leased;
    const off = Array.from({ length: 500 }, (_, at) => put(`off${at}`, at % 2 === 0 ? `k${at}` : undefined)).flat();
    outbox.later(connection, off.map((leased) => ({ leased, dueAt: 1_000, error: "x", park: false })), 100);
    put("due");
    const read = database.prepare(
      "SELECT count(*) AS n FROM p_outbox INDEXED BY p_outbox_ready WHERE bus = 'bus' AND parked = 0 AND waits = 0 " +
        "AND again_at IS NULL",
    ).get()?.["n"];
    assertEquals(read, 1);
    assertEquals(outbox.claim(connection, "bus", 10, 10, 200).map(({ row }) => row.id), ["due"]);
    assertEquals(outbox.next(connection, "bus", 205), 210);
    assertEquals(outbox.stats(connection, "bus", 200), { waiting: 501, parked: 0, oldest: 100 });
    assertEquals(outbox.claim(connection, "bus", 1_000, 10, 1_000).length, 501);
    assertEquals(outbox.next(connection, "bus", 1_000), 1_010);
  } finally {
    database.close();
  }
});
