/** What other libraries got wrong about SQLite: cases 35 and 37. Case 35's processes are in `processes_test.ts`. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { changes } from "../../conformance/store/trial.ts";
import { test } from "../../support/runner.ts";
import { bus, withStore } from "./fixture.ts";
import { openNative } from "./native.ts";

test("a transaction that reads first can write, whoever else wants to (case 35)", () =>
  withStore({}, async ({ path, clock, begin }) => {
    await openNative(path, async (database) => {
      database.exec("CREATE TABLE own (text)");
      const unit = await begin();
      assertEquals(await unit.tx.all("SELECT text FROM own"), []);
      let refused: unknown;
      try {
        database.exec("INSERT INTO own VALUES ('other')");
      } catch (error) {
        refused = error;
      }
      assertInstanceOf(refused, Error, "Another process has written behind the snapshot of a transaction");
      await unit.tx.run("INSERT INTO own VALUES ('own')");
      await unit.commit(changes({}));
      database.exec("INSERT INTO own VALUES ('other')");
      const next = await begin();
      const rows = next.tx.all<{ text: string }>("SELECT text FROM own ORDER BY text");
      await clock.pass(0);
      assertEquals((await rows).map(({ text }) => text), ["other", "own"]);
      await next.rollback();
    });
  }));

test("what is not there is the same on every runtime, and so are bytes, no bytes, and NULL (case 37)", () =>
  withStore({}, async ({ store, begin }) => {
    const unit = await begin({ inbox: [{ endpoint: "e", messageId: "unseen", keepUntil: 8e15 }] });
    assertEquals(unit.duplicates, [false]);
    assertEquals(await unit.load("saga", "missing", false), undefined);
    assertEquals(await unit.load("saga", "missing", true), undefined);
    assertEquals(await unit.find("saga", { name: "value" }, undefined, 10), []);
    assertEquals(await store.outbox.claim(bus, 10, 1_000), []);
    assertEquals(await store.schedules.claim(bus, 10, 1_000), []);
    assertEquals(await store.outbox.parked(bus, undefined, 10), []);

    await unit.tx.run("CREATE TABLE own (id INTEGER, value)");
    assertEquals(await unit.tx.get("SELECT value FROM own"), undefined);
    const bytes = new Uint8Array([0, 1, 127, 128, 255]);
    for (const [id, value] of [[1, bytes], [2, new Uint8Array()], [3, null]] as const) {
      await unit.tx.run("INSERT INTO own VALUES (?, ?)", id, value);
    }
    const read = async (id: number) => (await unit.tx.get("SELECT value FROM own WHERE id = ?", id))?.["value"];
    const [some, none] = [await read(1), await read(2)];
    assert(some instanceof Uint8Array && none instanceof Uint8Array);
    assertEquals([[...some], [...none]], [[...bytes], []]);
    assertEquals(await read(3), null);
    const empty = await unit.tx.get<{ missing: number }>("SELECT value IS NULL AS missing FROM own WHERE id = 2");
    assertEquals(empty?.missing, 0);
    await unit.rollback();
  }));
