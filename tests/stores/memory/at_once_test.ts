/** What the memory store does without a promise. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConflictError, TransactionEndedError } from "../../../src/errors/store.ts";
import { ClosedError } from "../../../src/errors/transport.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";
import type { SagaRow } from "../../../src/spi/rows.ts";
import type { Scope, Store, Unit } from "../../../src/spi/store.ts";
import { memoryStore } from "../../../stores/memory/mod.ts";
import { test } from "../../support/runner.ts";

const key = { endpoint: "orders", messageId: "m#0", keepUntil: Number.MAX_SAFE_INTEGER };
const never = new AbortController().signal;
const scope = (more: Partial<Scope> = {}): Scope => ({
  bus: "b",
  partition: "",
  inbox: [key],
  signal: never,
  ...more,
});
const row: SagaRow = {
  saga: "order",
  id: "1",
  incarnation: "a",
  version: 1,
  schema: 1,
  state: "open",
  data: new Uint8Array(),
  types: undefined,
  index: {},
};
const changes = (...sagas: { readonly before: SagaRow | undefined; readonly after: SagaRow | undefined }[]) => ({
  sagas,
  outbox: [],
  schedules: [],
});

async function opened(): Promise<Store<undefined>> {
  const store = memoryStore();
  await store.open({ bus: "b", clock: systemClock, signal: never, status: () => {} });
  return store;
}
function begun(store: Store<undefined>, more: Partial<Scope> = {}): Unit<undefined> {
  const unit = store.beginNow?.(scope(more));
  assert(unit !== undefined);
  return unit;
}

test("at once: a unit begins, loads and commits, and its message is known then", async () => {
  const store = await opened();
  const unit = begun(store);
  assertEquals(unit.duplicates, [false]);
  assertEquals(unit.loadNow?.("order", "1"), undefined);
  assertEquals(unit.commitNow?.(changes({ before: undefined, after: row })), []);
  assertThrows(() => unit.commitNow?.(changes()), TransactionEndedError);
  assertThrows(() => unit.loadNow?.("order", "1"), TransactionEndedError);
  const again = begun(store);
  assertEquals(again.duplicates, [true]);
  assertEquals(again.loadNow?.("order", "1"), row);
});

test("at once: a message that another unit has is waited for, with a promise", async () => {
  const store = await opened();
  const first = begun(store);
  assertEquals(store.beginNow?.(scope()), undefined);
  const next = store.begin(scope());
  await first.rollback();
  assertEquals((await next).duplicates, [false]);
});

test("at once: a conflict is thrown, writes nothing, and gives the message back", async () => {
  const store = await opened();
  begun(store).commitNow?.(changes({ before: undefined, after: row }));
  const other = { ...key, messageId: "n#0" };
  const unit = begun(store, { inbox: [other] });
  assertThrows(() => unit.commitNow?.(changes({ before: { ...row, version: 7 }, after: row })), ConflictError);
  assertEquals(begun(store, { inbox: [other] }).duplicates, [false]);
});

test("at once: the signal is not read while nobody waits, and ends the unit once somebody does", async () => {
  const store = await opened();
  const abort = new AbortController();
  let reads = 0;
  const unit = store.beginNow?.({
    bus: "b",
    partition: "",
    inbox: [key],
    get signal() {
      reads++;
      return abort.signal;
    },
  });
  assert(unit !== undefined);
  unit.loadNow?.("order", "1");
  assertEquals(reads, 0);
  const next = store.begin(scope());
  abort.abort(new Error("given up"));
  assertEquals((await next).duplicates, [false]);
  assertThrows(() => unit.commitNow?.(changes()), TransactionEndedError);
});

test("at once: a unit that nobody waits for sees that its signal has aborted when it is asked for something", async () => {
  const store = await opened();
  const abort = new AbortController();
  const unit = await store.begin(scope({ signal: abort.signal }));
  abort.abort(new Error("given up"));
  // Also by somebody else, who wants what it has.
  assertEquals((await store.begin(scope())).duplicates, [false]);
  await assertRejects(() => unit.load("order", "1", false), TransactionEndedError);
});

test("at once: not on a store that is closed, and a unit of before is over", async () => {
  const store = await opened();
  const unit = await store.begin(scope());
  await store.close();
  assertThrows(() => store.beginNow?.(scope()), ClosedError);
  await assertRejects(() => unit.commit(changes()), TransactionEndedError);
});
