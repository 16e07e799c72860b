import { assert, assertEquals, assertRejects } from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConflictError, OutcomeUnknownError } from "../../../src/errors/store.ts";
import { Connection, File } from "../../../stores/sqlite/database.ts";
import { Writer } from "../../../stores/sqlite/writer.ts";
import { virtualTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";

/** A writer whose statements are looked at. */
async function watched(
  run: (writer: Writer, said: string[], end: AbortController, file: File) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "hero-sqlite-"));
  const native = new DatabaseSync(join(folder, "store.db"));
  native.exec("CREATE TABLE own (n UNIQUE)");
  const said: string[] = [];
  const connection = new Connection({
    get isTransaction() {
      return native.isTransaction;
    },
    exec: (sql) => native.exec(sql),
    prepare: (sql) => {
      const statement = native.prepare(sql);
      return {
        sourceSQL: statement.sourceSQL,
        run: (...values) => {
          said.push(sql);
          if (sql === "COMMIT" && said.includes("the disk fails")) {
            throw Object.assign(new Error("disk I/O error"), { code: "ERR_SQLITE_ERROR", errcode: 1034 });
          }
          return statement.run(...values);
        },
        get: (...values) => statement.get(...values),
        all: (...values) => statement.all(...values),
      };
    },
    close: () => native.close(),
  });
  const end = new AbortController();
  const file = new File("store.db", connection, connection, () => Promise.resolve());
  try {
    await run(new Writer(file, { clock: virtualTime(), signal: end.signal, lockTimeoutMs: 1_000 }), said, end, file);
    assert(file.locks.size === 0, "The writer is still held");
  } finally {
    native.close();
    await rm(folder, { recursive: true, force: true });
  }
}
const insert = (n: number) => (connection: Connection): number => {
  connection.prepare("INSERT INTO own VALUES (?)").run(n);
  return n;
};
const count = (connection: Connection): number =>
  (connection.prepare("SELECT count(*) AS n FROM own").get() as { readonly n: number }).n;
const commits = (said: readonly string[]): number => said.filter((each) => each === "COMMIT").length;

test("work that is ready together shares one commit", () =>
  watched(async (writer, said) => {
    const results = await Promise.all(Array.from({ length: 50 }, async (_, n) => {
      for (let hops = 0; hops < n % 4; hops++) await undefined;
      return await writer.write(insert(n));
    }));
    assertEquals(results, Array.from({ length: 50 }, (_, n) => n));
    assertEquals(commits(said), 1);
    assertEquals(await writer.write(count), 50);
  }));

test("more work than one commit should hold is done in several", () =>
  watched(async (writer, said) => {
    await Promise.all(Array.from({ length: 600 }, (_, n) => writer.write(insert(n))));
    assertEquals(commits(said), 3);
  }));

test("work that refuses fails alone, and writes nothing", () =>
  watched(async (writer, said) => {
    const refused = new ConflictError("it");
    const outcomes = await Promise.allSettled([
      writer.write(insert(1)),
      writer.write(() => {
        throw refused;
      }),
      writer.write(insert(2)),
    ]);
    assertEquals(outcomes.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    assertEquals(commits(said), 1);
    assertEquals(await writer.write(count), 2);
  }));

test("work that fails in the middle is undone alone: the rest is done again", () =>
  watched(async (writer) => {
    await writer.write(insert(7));
    const outcomes = await Promise.allSettled([1, 2, 7, 3].map((n) =>
      writer.write((connection) => {
        insert(n + 100)(connection);
        return insert(n)(connection);
      })
    ));
    assertEquals(outcomes.map(({ status }) => status), ["fulfilled", "fulfilled", "rejected", "fulfilled"]);
    assertEquals(await writer.write(count), 7);
  }));

test("one that holds the transaction keeps work waiting, and work given up is not done", () =>
  watched(async (writer) => {
    const { signal } = new AbortController();
    const connection = await writer.open(signal);
    const abort = new AbortController();
    const [kept, given] = [writer.write(insert(1)), writer.write(insert(2), abort.signal)];
    const reason = new Error("given up");
    abort.abort(reason);
    assertEquals(await assertRejects(() => given), reason);
    assertEquals(count(connection), 0);
    insert(3)(connection);
    writer.rollback();
    assertEquals(await kept, 1);
    assertEquals(await writer.write(count), 1);
    await assertRejects(() => writer.write(count, abort.signal));
  }));

test("work that waits when the store is closed is told so", () =>
  watched(async (writer, _, end) => {
    const { signal } = new AbortController();
    await writer.open(signal);
    const works = [writer.write(insert(1)), writer.write(insert(2))];
    const reason = new Error("closed");
    end.abort(reason);
    for (const work of works) assertEquals(await assertRejects(() => work), reason);
    writer.rollback();
  }));

test("what may be lost in a power cut does not wait for the disk, unless it shares a commit with what may not", () =>
  watched(async (writer, _said, _end, file) => {
    const level = (connection: Connection): number =>
      (connection.prepare("PRAGMA synchronous").get() as { readonly synchronous: number }).synchronous;
    const [full, normal] = [2, 1];
    file.last();
    assertEquals(await writer.write(level), full);
    assertEquals(await writer.writeLax(level), normal);
    assertEquals(await Promise.all([writer.writeLax(level), writer.writeLax(level)]), [normal, normal]);
    assertEquals(await Promise.all([writer.writeLax(level), writer.write(level)]), [full, full]);
    assertEquals(await writer.writeLax(level), normal);
    const { signal } = new AbortController();
    assertEquals(level(await writer.open(signal)), full);
    writer.commit();
    assertEquals(await writer.writeLax(level), normal);
    assertEquals(writer.writeAtOnce(level), { result: full });
  }));

test("a disk that fails within a commit leaves an unknown outcome to all who share it, and none is done again", () =>
  watched(async (writer, said) => {
    said.push("the disk fails");
    const outcomes = await Promise.allSettled([1, 2].map((n) => writer.write(insert(n))));
    for (const outcome of outcomes) {
      assert(outcome.status === "rejected" && outcome.reason instanceof OutcomeUnknownError);
      assertEquals((outcome.reason.cause as Error).message, "disk I/O error");
    }
    assertEquals(commits(said), 1);
    said.length = 0;
    assertEquals([await writer.write(insert(3)), await writer.write(count)], [3, 1]);
  }));
