/** Messages for later, by token. */
import { assertEquals } from "@std/assert";
import { ids, type StoreCase } from "./trial.ts";

export const scheduleCases: readonly StoreCase[] = [
  {
    name: "what is scheduled is claimed at its time, in order, and not before",
    async run(trial) {
      const now = trial.clock.now();
      const rows = [2_000, 1_000, 3_000].map((ms) => trial.schedule({ dueAt: now + ms }));
      await trial.commit({ schedules: rows.map((put) => ({ put })) });
      const due = trial.store.schedules;
      assertEquals(await due.claim(trial.bus, 10, 1_000), []);
      await trial.clock.pass(2_050);
      const leased = await due.claim(trial.bus, 10, 10_000);
      assertEquals(leased.map(({ row }) => row), [rows[1], rows[0]]);
      await due.done(leased);
      await trial.clock.pass(1_050);
      assertEquals(ids(await due.claim(trial.bus, 10, 10_000)), [rows[2]!.id]);
    },
  },
  {
    name: "what was due in the past is due at once",
    async run(trial) {
      const rows = [trial.schedule({ dueAt: trial.clock.now() - 5_000 }), trial.schedule()];
      assertEquals(await trial.commit({ schedules: rows.map((put) => ({ put })) }), []);
      assertEquals(ids(await trial.store.schedules.claim(trial.bus, 10, 1_000)), rows.map(({ id }) => id));
    },
  },
  {
    name: "what is cancelled is gone, and cancelling what is not there is no error",
    async run(trial) {
      const rows = [trial.schedule(), trial.schedule()];
      await trial.commit({ schedules: rows.map((put) => ({ put })) });
      await trial.commit({ schedules: [{ cancel: rows[0]!.token }, { cancel: trial.name("missing") }] });
      await trial.commit({ schedules: [{ cancel: rows[0]!.token }] });
      assertEquals(ids(await trial.store.schedules.claim(trial.bus, 10, 1_000)), [rows[1]!.id]);
    },
  },
  {
    name: "the same token replaces: message, time and all",
    async run(trial) {
      const now = trial.clock.now();
      const first = trial.schedule({ dueAt: now + 500 });
      const second = trial.schedule({ token: first.token, dueAt: now + 2_000, to: "queue:other", key: "k" });
      await trial.commit({ schedules: [{ put: first }] });
      await trial.commit({ schedules: [{ put: second }] });
      await trial.clock.pass(1_000);
      assertEquals(await trial.store.schedules.claim(trial.bus, 10, 1_000), []);
      assertEquals((await trial.store.schedules.stats(trial.bus)).waiting, 1);
      await trial.clock.pass(1_050);
      const [leased] = await trial.store.schedules.claim(trial.bus, 10, 1_000);
      assertEquals(leased?.row, second);
    },
  },
  {
    name: "who had claimed what was replaced or cancelled since changes nothing",
    async run(trial) {
      const first = trial.schedule();
      const due = trial.store.schedules;
      await trial.commit({ schedules: [{ put: first }] });
      const leased = await due.claim(trial.bus, 10, 10_000);
      const second = trial.schedule({ ...first, dueAt: trial.clock.now() + 500 });
      await trial.commit({ schedules: [{ put: second }] });
      await due.done(leased);
      await due.later([{ leased: leased[0]!, dueAt: 0, error: "late", park: true }]);
      await trial.clock.pass(550);
      const again = await due.claim(trial.bus, 10, 10_000);
      assertEquals(again.map(({ row }) => row), [second]);
      await trial.commit({ schedules: [{ cancel: first.token }] });
      await due.later([{ leased: again[0]!, dueAt: 0, error: "late", park: false }]);
      await due.done(again);
      assertEquals(await due.claim(trial.bus, 10, 10_000), []);
      assertEquals(await due.stats(trial.bus), { waiting: 0, parked: 0, oldest: undefined });
    },
  },
  {
    name: "what is parked is replaced and cancelled by its token as well",
    async run(trial) {
      const due = trial.store.schedules;
      const rows = [trial.schedule(), trial.schedule()];
      await trial.commit({ schedules: rows.map((put) => ({ put })) });
      const leased = await due.claim(trial.bus, 10, 10_000);
      await due.later(leased.map((each) => ({ leased: each, dueAt: 0, error: "failed", park: true })));
      const put = trial.schedule({ token: rows[0]!.token });
      await trial.commit({ schedules: [{ put }, { cancel: rows[1]!.token }] });
      assertEquals((await due.stats(trial.bus)).parked, 0);
      assertEquals(ids(await due.claim(trial.bus, 10, 10_000)), [put.id]);
    },
  },
  {
    name: "two buses may have the same token",
    async run(trial) {
      const other = { bus: trial.name("bus") };
      const [mine, theirs] = [trial.schedule({ token: "t" }), trial.schedule({ token: "t" })];
      await trial.commit({ schedules: [{ put: mine }] });
      await trial.commit({ schedules: [{ put: theirs }] }, other);
      await trial.commit({ schedules: [{ cancel: "t" }] }, other);
      assertEquals(ids(await trial.store.schedules.claim(trial.bus, 10, 1_000)), [mine.id]);
      assertEquals(ids(await trial.store.schedules.claim(other.bus, 10, 1_000)), []);
    },
  },
  {
    name: "a due time years ahead is kept to the millisecond, over restarts",
    applies: (_, { clock }) => clock.virtual,
    async run(trial) {
      const dueAt = trial.clock.now() + 3 * 365 * 86_400_000 + 1;
      const put = trial.schedule({ dueAt });
      await trial.commit({ schedules: [{ put }] });
      for (let restarts = 0; restarts < 3; restarts++) {
        await trial.clock.pass(365 * 86_400_000);
        const store = await trial.elsewhere();
        assertEquals(await store.schedules.claim(trial.bus, 10, 1_000), []);
        await store.close();
      }
      await trial.clock.pass(1);
      assertEquals((await trial.store.schedules.claim(trial.bus, 10, 1_000)).map(({ row }) => row), [put]);
    },
  },
  {
    name: "what became due while nobody was there is claimed once by who returns, and what was cancelled stays so",
    async run(trial) {
      const store = trial.under.elsewhere?.() ?? trial.under.connect();
      await store.open(trial.host());
      const [kept, cancelled] = [600, 600].map((ms) => trial.schedule({ dueAt: trial.clock.now() + ms }));
      await trial.commit({ schedules: [{ put: kept! }, { put: cancelled! }] }, {}, store);
      await store.close();
      await trial.commit({ schedules: [{ cancel: cancelled!.token }] });
      await trial.clock.pass(1_500);
      const again = await trial.elsewhere();
      const leased = await again.schedules.claim(trial.bus, 10, 10_000);
      assertEquals(leased.map(({ row }) => row), [kept]);
      await again.schedules.done(leased);
      assertEquals(await again.schedules.claim(trial.bus, 10, 10_000), []);
    },
  },
];
