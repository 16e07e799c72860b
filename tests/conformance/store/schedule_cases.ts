/** Messages for later, by token. */
import { assertEquals } from "@std/assert";
import { changes, ids, type StoreCase } from "./trial.ts";

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
    name: "what is cancelled stays out, whichever of the two units commits first, and whoever has the other",
    async run(trial) {
      const { schedules } = trial.store;
      const other = await trial.elsewhere();
      const rows = Array.from({ length: 4 }, () => trial.schedule());
      for (const [at, put] of rows.entries()) {
        const [putting, cancelling] = [await trial.begin(), await trial.begin({}, at < 2 ? other : trial.store)];
        const commits = [
          () => putting.commit(changes({ schedules: [{ put }] })),
          () => cancelling.commit(changes({ schedules: [{ cancel: put.token, group: put.group }] })),
        ];
        for (const commit of at % 2 === 0 ? commits : commits.reverse()) await commit();
      }
      assertEquals(await schedules.claim(trial.bus, 10, 10_000), []);
      await trial.clock.pass(1);
      assertEquals(await other.schedules.claim(trial.bus, 10, 10_000), []);
      assertEquals((await schedules.stats(trial.bus)).waiting, 0);
    },
  },
  {
    name: "a cancel that was first keeps out its own call alone: the token is free for another, and for another bus",
    async run(trial) {
      const bus = trial.name("bus");
      const first = trial.schedule({ token: "t", group: "1" });
      await trial.commit({ schedules: [{ cancel: "t", group: "1" }] });
      await trial.commit({ schedules: [{ put: first }] });
      await trial.commit({ schedules: [{ put: first }] }, { bus });
      assertEquals(ids(await trial.store.schedules.claim(bus, 10, 10_000)), [first.id]);
      assertEquals(await trial.store.schedules.claim(trial.bus, 10, 10_000), []);
      const second = trial.schedule({ token: "t", group: "2", key: "k" });
      const behind = trial.schedule({ key: "k" });
      await trial.commit({ schedules: [{ put: second }, { put: behind }] });
      assertEquals(ids(await trial.store.schedules.claim(trial.bus, 10, 10_000)), [second.id, behind.id]);
      // It takes away what is there, and keeps out what it is about.
      const third = trial.schedule({ token: "t", group: "3", dueAt: trial.clock.now() + 60_000 });
      const fourth = trial.schedule({ token: "t", group: "4" });
      await trial.commit({ schedules: [{ put: third }] });
      await trial.commit({ schedules: [{ cancel: "t", group: "4" }] });
      await trial.commit({ schedules: [{ put: fourth }] });
      assertEquals(await trial.store.schedules.claim(trial.bus, 10, 10_000), []);
    },
  },
  {
    name: "what is put and cancelled, or cancelled and put, by one unit is as its last word says",
    async run(trial) {
      const [gone, kept] = [trial.schedule(), trial.schedule()];
      await trial.commit({
        schedules: [
          { put: gone },
          { cancel: gone.token, group: gone.group },
          { cancel: kept.token, group: trial.name("group") },
          { put: kept },
        ],
      });
      assertEquals(ids(await trial.store.schedules.claim(trial.bus, 10, 10_000)), [kept.id]);
    },
  },
  {
    name: "what is held up by a row that is cancelled goes",
    async run(trial) {
      const [first, second] = [trial.schedule({ key: "k" }), trial.schedule({ key: "k" })];
      await trial.commit({ schedules: [{ cancel: first.token, group: first.group }] });
      await trial.commit({ schedules: [{ put: first }] });
      await trial.commit({ schedules: [{ put: second }] });
      assertEquals(ids(await trial.store.schedules.claim(trial.bus, 10, 10_000)), [second.id]);
    },
  },
  {
    name: "after a day, a cancel is forgotten",
    applies: (_, { clock }) => clock.virtual,
    async run(trial) {
      const put = trial.schedule();
      await trial.commit({ schedules: [{ cancel: put.token, group: put.group }] });
      await trial.clock.pass(86_399_000);
      await trial.store.sweep(100);
      await trial.commit({ schedules: [{ put }] });
      assertEquals(await trial.store.schedules.claim(trial.bus, 10, 10_000), []);
      await trial.clock.pass(2_000);
      await trial.store.sweep(100);
      await trial.commit({ schedules: [{ put }] });
      assertEquals(ids(await trial.store.schedules.claim(trial.bus, 10, 10_000)), [put.id]);
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
