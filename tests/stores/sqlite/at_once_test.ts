/** What a SQLite store does without a promise. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DuplicateError, TransactionEndedError } from "../../../src/errors/store.ts";
import { ClosedError } from "../../../src/errors/transport.ts";
import type { Scope, Store, Unit } from "../../../src/spi/store.ts";
import type { SqliteTransaction } from "../../../stores/sqlite/mod.ts";
import { changes } from "../../conformance/store/trial.ts";
import { test } from "../../support/runner.ts";
import { bus, withStore } from "./fixture.ts";
import { openNative } from "./native.ts";

const key = { endpoint: "orders", messageId: "m#0", keepUntil: Number.MAX_SAFE_INTEGER };
const never = new AbortController().signal;
const scope = (more: Partial<Scope> = {}): Scope => ({ bus, partition: "", inbox: [key], signal: never, ...more });

function begun(store: Store<SqliteTransaction>, more: Partial<Scope> = {}): Unit<SqliteTransaction> {
  const unit = store.beginNow?.(scope(more));
  assert(unit !== undefined);
  return unit;
}

test("SQLite at once: a unit begins, and its message is known once it is committed", () =>
  withStore({}, async ({ store }) => {
    const unit = begun(store);
    assertEquals(unit.duplicates, [false]);
    await unit.commit(changes({}));
    await assertRejects(() => unit.commit(changes({})), TransactionEndedError);
    const again = begun(store);
    assertEquals(again.duplicates, [true]);
    await again.rollback();
  }));

test("SQLite at once: a message that another unit has, and several, are waited for with a promise", () =>
  withStore({}, async ({ store }) => {
    const first = begun(store);
    assertEquals(store.beginNow?.(scope()), undefined);
    assertEquals(store.beginNow?.(scope({ inbox: [key, { ...key, messageId: "other#0" }] })), undefined);
    const next = store.begin(scope());
    await first.rollback();
    assertEquals((await next).duplicates, [false]);
    await (await next).rollback();
  }));

test("SQLite at once: a transaction that another unit has open is waited for, and what it has not committed is not seen", () =>
  withStore({}, async ({ store }) => {
    const first = begun(store);
    await first.tx.run("CREATE TABLE own (n)");
    const second = begun(store, { inbox: [{ ...key, messageId: "other#0" }] });
    assertEquals(await second.load("order", "1", false), undefined);
    const inserted = second.tx.run("INSERT INTO own VALUES (1)");
    await first.commit(changes({}));
    assertEquals((await inserted).changes, 1);
    await second.commit(changes({}));
  }));

test("SQLite at once: another process' lock is waited for", () =>
  withStore({}, async ({ path, store, clock }) => {
    await openNative(path, async (other) => {
      other.exec("BEGIN IMMEDIATE");
      const unit = begun(store);
      const committed = unit.commit(changes({}));
      await clock.pass(5);
      other.exec("COMMIT");
      await clock.pass(50);
      await committed;
    });
  }));

test("SQLite at once: what another process has handled meanwhile is a duplicate when the transaction begins", () =>
  withStore({}, async ({ path, store }) => {
    const unit = begun(store);
    await openNative(path, (other) => {
      other.prepare("INSERT INTO hero_inbox VALUES (?, ?, ?, ?)").run(bus, key.endpoint, key.messageId, 1e15);
      return Promise.resolve();
    });
    await assertRejects(() => unit.tx.run("SELECT 1"), DuplicateError);
    await assertRejects(() => unit.tx.run("SELECT 1"), TransactionEndedError);
  }));

test("SQLite at once: a unit whose signal aborts before it is written writes nothing", () =>
  withStore({}, async ({ store }) => {
    const aborting = new AbortController();
    const unit = begun(store, { signal: aborting.signal });
    // Beside another: whether one is alone decides how it is written.
    const beside = begun(store, { inbox: [{ ...key, messageId: "other#0" }] });
    const committed = unit.commit(changes({}));
    aborting.abort(new Error("gone"));
    await assertRejects(() => committed, TransactionEndedError);
    const again = begun(store);
    assertEquals(again.duplicates, [false]);
    await Promise.all([again.rollback(), beside.rollback()]);
  }));

test("SQLite at once: a closed store says so", () =>
  withStore({}, async ({ store }) => {
    await store.close();
    assertThrows(() => store.beginNow?.(scope()), ClosedError);
  }));
