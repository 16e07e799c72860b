/** A clock that is set back, as a machine's is now and then, reorders no key. */
import { assertEquals } from "@std/assert";
import type { OutboxRow } from "../../src/spi/rows.ts";
import type { Store } from "../../src/spi/store.ts";
import { memoryStore } from "../../stores/memory/mod.ts";
import { changes } from "../conformance/store/trial.ts";
import { type TestClock, virtualTime } from "../conformance/test_clock.ts";
import { test } from "../support/runner.ts";
import { onPostgres } from "./postgres/opened.ts";
import { withStore } from "./sqlite/fixture.ts";

const { signal } = new AbortController();
const bus = "orders";
const hourInMs = 3_600_000;

function row(id: string): OutboxRow {
  const frame = { contentType: "text/plain", headers: {}, body: new Uint8Array() };
  return { id, group: id, key: "k", to: "queue:q", frame, dueAt: 0, expiresAt: undefined };
}

/** Time that can be set back. */
function setBackClock(): { readonly clock: TestClock; setBack(ms: number): void } {
  const time = virtualTime();
  let back = 0;
  const clock: TestClock = {
    virtual: true,
    now: () => time.now() - back,
    at: (at, run) => time.at(at + back, run),
    pass: (ms) => time.pass(ms),
    pending: undefined,
  };
  return { clock, setBack: (ms) => void (back += ms) };
}

/** Writes rows of one key, as a process that dies before it sends them. */
async function write(store: Store<unknown>, ...ids: readonly string[]): Promise<void> {
  const unit = await store.begin({ bus, partition: "p", inbox: [], signal, leaseMs: 1 });
  await unit.commit(changes({ outbox: ids.map(row) }));
}

async function claim(store: Store<unknown>): Promise<readonly string[]> {
  return (await store.outbox.claim(bus, 10, 10_000)).map(({ row }) => row.id);
}

async function keepsOrder(store: Store<unknown>, clock: TestClock, setBack: (ms: number) => void): Promise<void> {
  await write(store, "1");
  setBack(50);
  await write(store, "2", "3");
  setBack(50);
  await write(store, "4");
  await clock.pass(200);
  assertEquals(await claim(store), ["1", "2", "3", "4"]);
}

/** Else each would wait for the one before, and nothing of the key would leave for as long as the clock was set back. */
async function goesOn(store: Store<unknown>, clock: TestClock, setBack: (ms: number) => void): Promise<void> {
  await write(store, "1");
  setBack(hourInMs);
  await write(store, "2");
  await write(store, "3");
  await clock.pass(200);
  const left = await claim(store);
  assertEquals(left.filter((id) => id !== "1"), ["2", "3"]);
}

for (
  const [name, holds] of [
    ["a clock that is set back by an hour holds up no key for so long", goesOn],
    ["rows of a key leave in order of commit, though the clock was set back", keepsOrder],
  ] as const
) {
  test(`memory store: ${name}`, async () => {
    const { clock, setBack } = setBackClock();
    const store = memoryStore();
    await store.open({ bus, clock, signal, status: () => {} });
    await holds(store, clock, setBack);
    await store.close();
  });

  test(`SQLite: ${name}`, async () => {
    const { clock, setBack } = setBackClock();
    await withStore({ clock }, async ({ store }) => await holds(store, clock, setBack));
  });
}

// A server's clock cannot be set here: what was written before is moved as far ahead.
for (const [ms, ids] of [[50, ["1", "2", "3", "4"]], [2 * hourInMs, ["4"]]] as const) {
  const name = ms < hourInMs
    ? "rows of a key leave in order of commit, though the server's clock was set back"
    : "a server's clock that is set back by hours holds up no key for so long";
  onPostgres(name, async (opened) => {
    const store = await opened.store();
    const setBack = () =>
      opened.bench.sql.unsafe(
        `UPDATE "${opened.bench.schema}".hero_outbox SET due_at = due_at + ${ms}, free_at = free_at + ${ms}`,
      );
    const write = async (...ids: readonly string[]): Promise<void> => {
      const unit = await store.begin(opened.scope({ leaseMs: 1 }));
      await unit.commit(opened.changes({ outbox: ids.map(row) }));
    };
    await write("1");
    await setBack();
    await write("2", "3");
    await setBack();
    await write("4");
    await opened.clock.pass(200);
    const leased = await store.outbox.claim(opened.bus, 10, 10_000);
    assertEquals(leased.map(({ row }) => row.id), [...ids]);
  });
}
