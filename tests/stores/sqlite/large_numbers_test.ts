/** Numbers that SQLite can hold and JavaScript cannot: a row that somebody has given one holds up no other. */
import { assertEquals } from "@std/assert";
import type { OutboxRow } from "../../../src/spi/rows.ts";
import { test } from "../../support/runner.ts";
import { bus, withStore } from "./fixture.ts";
import { openNative } from "./native.ts";

const { signal } = new AbortController();
const columns = ["due_at", "free_at", "again_at", "fence", "attempts", "written_due_at", "expires_at"];
const numbers = ["4611686018427387904", "-4611686018427387904"];

test("SQLite: a number that JavaScript has not holds up no other row, and no look at what waits", () =>
  withStore({}, async ({ path, store, clock, commit }) => {
    const dueAt = clock.now() + 1000;
    const bad = columns.flatMap((column) => numbers.map((number) => ({ id: `${column} ${number}`, column, number })));
    const frame = { contentType: "text/plain", headers: {}, body: new Uint8Array([1]) };
    const row = (id: string): OutboxRow => ({
      id,
      group: id,
      key: undefined,
      to: "queue:q",
      frame,
      dueAt,
      expiresAt: undefined,
    });
    await commit({ outbox: [...bad, { id: "good" }].map(({ id }) => row(id)) });
    await openNative(path, (database) => {
      for (const { id, column, number } of bad) {
        database.exec(`UPDATE hero_outbox SET "${column}" = ${number} WHERE id = '${id}'`);
      }
    });
    await clock.pass(1000);
    await store.outbox.next(bus, signal);
    const claimed = await store.outbox.claim(bus, 100, 1000);
    const never = ["due_at 4611686018427387904", "free_at 4611686018427387904", "again_at 4611686018427387904"];
    const due = [...bad.map(({ id }) => id), "good"].filter((id) => !never.includes(id));
    assertEquals(claimed.map(({ row }) => row.id).toSorted(), due.toSorted());
    const [one, two, ...others] = claimed;
    await store.outbox.done(others);
    const later = { dueAt: clock.now() + 1000, error: "later" };
    await store.outbox.later([
      ...(one === undefined ? [] : [{ leased: one, park: true, ...later }]),
      ...(two === undefined ? [] : [{ leased: two, park: false, ...later }]),
    ]);
    assertEquals((await store.outbox.parked(bus, undefined, 10)).map(({ row }) => row.id), [one?.row.id]);
    assertEquals(await store.outbox.stats(bus), { waiting: 4, parked: 1, oldest: dueAt });
    await clock.pass(1000);
    assertEquals((await store.outbox.claim(bus, 100, 1000)).map(({ row }) => row.id), [two?.row.id]);
  }));
