import { assert, assertEquals, assertRejects } from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConflictError, OutcomeUnknownError } from "../../../src/errors/store.ts";
import { Connection } from "../../../stores/sqlite/connection.ts";
import { File } from "../../../stores/sqlite/file.ts";
import { FileIdentity } from "../../../stores/sqlite/file_identity.ts";
import { Writer } from "../../../stores/sqlite/writer.ts";
import { virtualTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";

/** A writer whose statements are looked at. */
async function watched(
  run: (writer: Writer, said: string[], end: AbortController, file: File, soon: (() => void)[]) => Promise<void>,
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
  const soon: (() => void)[] = [];
  const identity = new FileIdentity("store.db", () => () => {});
  const file = new File("store.db", connection, connection, () => Promise.resolve(), (_, run) => {
    soon.push(run);
    return () => void soon.splice(soon.indexOf(run), 1);
  }, identity);
  const clock = virtualTime();
  const patience = { clock, time: clock, signal: end.signal, lockTimeoutMs: 1_000 };
  try {
    await run(new Writer(file, patience), said, end, file, soon);
    assert(!file.writing.isHeld, "The writer is still held");
  } finally {
    await identity.close();
    native.close();
    await rm(folder, { recursive: true, force: true });
  }
}
const holder = { who: "a test" };
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
    const connection = await writer.open(signal, holder);
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
    await writer.open(signal, holder);
    const works = [writer.write(insert(1)), writer.write(insert(2))];
    const reason = new Error("closed");
    end.abort(reason);
    for (const work of works) assertEquals(await assertRejects(() => work), reason);
    writer.rollback();
  }));

test("what may be lost in a power cut does not wait for the disk, unless it shares a commit with what may not", () =>
  watched(async (writer, _said, _end, file, soon) => {
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
    assertEquals(level(await writer.open(signal, holder)), full);
    writer.commit();
    assertEquals(await writer.writeLax(level), normal);
    assertEquals(writer.writeAtOnce(level), { result: full });
    const alone = writer.writeAlong(level);
    soon[0]?.();
    assertEquals(await alone, normal);
    const along = writer.writeAlong(level);
    assertEquals([await writer.write(level), await along], [full, full]);
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

test("what nobody waits for goes along with the next commit, and needs none of its own then", () =>
  watched(async (writer, said, _end, _file, soon) => {
    const along = [writer.writeAlong(insert(1)), writer.writeAlong(insert(2))];
    const { signal } = new AbortController();
    insert(3)(await writer.open(signal, holder));
    writer.commit();
    assertEquals(await Promise.all(along), [1, 2]);
    const later = writer.writeAlong(insert(4));
    assertEquals(await writer.write(insert(5)), 5);
    assertEquals(await later, 4);
    soon[0]?.();
    assertEquals([await writer.write(count), commits(said)], [5, 3]);
  }));

test("what nobody waits for is written a moment later where nothing else is", () =>
  watched(async (writer, said, end, _file, soon) => {
    const along = [writer.writeAlong(insert(1)), writer.writeAlong(insert(2))];
    assertEquals([soon.length, commits(said)], [1, 0]);
    soon[0]?.();
    assertEquals(await Promise.all(along), [1, 2]);
    assertEquals([soon.length, commits(said)], [0, 1]);
    const late = writer.writeAlong(insert(3));
    assertEquals(soon.length, 1);
    end.abort(new Error("closed"));
    assertEquals(soon.length, 0);
    assertEquals((await assertRejects(() => late, Error)).message, "closed");
    await assertRejects(() => writer.writeAlong(insert(4)), Error, "closed");
  }));

test("what nobody waits for lets those pass who wait for the writer, until there is much of it", () =>
  watched(async (writer, _said, _end, file) => {
    const { signal } = new AbortController();
    const done: number[] = [];
    const along = (n: number) => writer.writeAlong(insert(n)).then(() => done.push(n));
    const first = along(0);
    let connection = await writer.open(signal, holder);
    const second = writer.open(signal, holder);
    writer.commit();
    connection = await second;
    assertEquals([done.length, count(connection)], [0, 0]);
    const many = Array.from({ length: 31 }, (_, n) => along(n + 1));
    const third = writer.open(signal, holder);
    writer.commit();
    connection = await third;
    assertEquals(count(connection), 32);
    assert(!file.writing.isAwaited);
    writer.commit();
    await Promise.all([first, ...many]);
    assertEquals(done.length, 32);
  }));

test("what fails of it fails nobody else, and is tried alone", () =>
  watched(async (writer, said) => {
    let tries = 0;
    const fails = writer.writeAlong((connection) => {
      if (++tries === 1) throw new Error("not now");
      return insert(1)(connection);
    });
    const hopeless = writer.writeAlong(() => {
      throw new Error("never");
    });
    const good = writer.writeAlong(insert(2));
    const { signal } = new AbortController();
    insert(3)(await writer.open(signal, holder));
    writer.commit();
    assertEquals(await good, 2);
    await assertRejects(() => hopeless, Error, "never");
    assertEquals(await fails, 1);
    assertEquals([await writer.write(count), commits(said) > 1], [3, true]);
  }));

test("what goes along with a commit that fails is still to be written", () =>
  watched(async (writer, said) => {
    const along = writer.writeAlong(insert(1));
    said.push("the disk fails");
    const { signal } = new AbortController();
    await writer.open(signal, holder);
    let failure: unknown;
    try {
      writer.commit();
    } catch (thrown) {
      failure = thrown;
    }
    assert(failure instanceof OutcomeUnknownError);
    said.length = 0;
    assertEquals(await writer.write(insert(2)), 2);
    assertEquals([await along, await writer.write(count)], [1, 2]);
  }));

test("what goes along with a transaction that SQLite ends fails it, and is still to be written", () =>
  watched(async (writer) => {
    let tries = 0;
    const along = writer.writeAlong((connection) => {
      if (++tries > 1) return insert(1)(connection);
      connection.rollback();
      throw new Error("the disk is full");
    });
    const after = writer.writeAlong(insert(2));
    const { signal } = new AbortController();
    insert(3)(await writer.open(signal, holder));
    let failure: unknown;
    try {
      writer.commit();
    } catch (thrown) {
      failure = thrown;
    }
    assertEquals(failure, new Error("the disk is full"));
    assertEquals([await along, await after, await writer.write(count)], [1, 2, 2]);
  }));
