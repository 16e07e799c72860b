/** Waiting for what is due. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { StoreCase, Trial } from "./trial.ts";

const { signal: never } = new AbortController();

/** Waits for a wait to end. Real time is the machine's, which may be busy: there it is a bound against hanging alone. */
async function until(trial: Trial, promise: Promise<number>, withinMs: number): Promise<number> {
  const within = trial.clock.virtual ? withinMs : 20_000;
  let result: number | undefined;
  promise.then((at) => result = at, () => {});
  for (let waited = 0; result === undefined && waited < within; waited += 10) await trial.clock.pass(10);
  assert(result !== undefined, `Not woken within ${within} ms`);
  return result;
}

/** A wait has not ended, unless a busy machine has let the time come meanwhile. */
async function notBefore(trial: Trial, promise: Promise<number>, time: number): Promise<void> {
  const pending = await trial.pending(promise);
  assert(pending || trial.clock.now() >= time, "A wait has ended before its time");
}

export const wakeCases: readonly StoreCase[] = [
  {
    name: "a wait ends at once if there is something due",
    async run(trial) {
      const now = trial.clock.now();
      await trial.abandon({ outbox: [trial.row({ dueAt: now - 5 })] });
      await trial.commit({ schedules: [{ put: trial.schedule({ dueAt: now - 7 }) }] });
      for (const due of [trial.store.outbox, trial.store.schedules]) {
        const at = await due.next(trial.bus, never);
        assert(at <= trial.clock.now());
      }
    },
  },
  {
    name: "a wait ends when what is there becomes due, and not before",
    async run(trial) {
      const dueAt = trial.clock.now() + 1_000;
      await trial.commit({ outbox: [trial.row({ dueAt })] });
      const next = trial.store.outbox.next(trial.bus, never);
      await trial.clock.pass(500);
      await notBefore(trial, next, dueAt);
      assertEquals(await until(trial, next, 2_000), dueAt);
      assert(trial.clock.now() >= dueAt);
      assertEquals((await trial.claim()).length, 1);
    },
  },
  {
    name: "a wait ends when this process writes something due, or due sooner",
    async run(trial) {
      await trial.commit({ schedules: [{ put: trial.schedule({ dueAt: trial.clock.now() + 3_600_000 }) }] });
      const next = trial.store.schedules.next(trial.bus, never);
      assert(await trial.pending(next));
      const dueAt = trial.clock.now() + 300;
      await trial.commit({ schedules: [{ put: trial.schedule({ dueAt }) }] });
      await notBefore(trial, next, dueAt);
      await until(trial, next, 1_000);
      const [leased] = await trial.store.schedules.claim(trial.bus, 1, 60_000);
      await trial.store.schedules.done([leased!]);
      const again = trial.store.schedules.next(trial.bus, never);
      assert(await trial.pending(again));
      await trial.commit({ schedules: [{ put: trial.schedule() }] });
      await until(trial, again, 1_000);
    },
  },
  {
    name: "a wait ends when a lease does, so that what a crash left goes out",
    async run(trial) {
      const leasedAt = trial.clock.now();
      await trial.commit({ outbox: [trial.row()] }, { leaseMs: 500 });
      const next = trial.store.outbox.next(trial.bus, never);
      await notBefore(trial, next, leasedAt + 500);
      await until(trial, next, 1_000);
      assertEquals((await trial.claim()).length, 1);
    },
  },
  {
    name: "a wait does not end for what its key holds up, and does when that is done",
    async run(trial) {
      const leased = await trial.commit({ outbox: [trial.row({ key: "k" })] }, { leaseMs: 3_600_000 });
      await trial.commit({ outbox: [trial.row({ key: "k" })] });
      const next = trial.store.outbox.next(trial.bus, never);
      await trial.clock.pass(100);
      assert(await trial.pending(next));
      await trial.store.outbox.done(leased);
      await until(trial, next, 1_000);
    },
  },
  {
    name: "a wait ends when what was parked or postponed is free",
    async run(trial) {
      const due = trial.store.outbox;
      const [row] = await trial.commit({ outbox: [trial.row()] });
      await due.later([{ leased: row!, dueAt: 0, error: "failed", park: true }]);
      const next = due.next(trial.bus, never);
      assert(await trial.pending(next));
      await due.unpark(trial.bus, [row!.row.id]);
      await until(trial, next, 1_000);
      const [again] = await due.claim(trial.bus, 1, 60_000);
      const then = due.next(trial.bus, never);
      assert(await trial.pending(then));
      const dueAt = trial.clock.now() + 200;
      await due.later([{ leased: again!, dueAt, error: "failed", park: false }]);
      await notBefore(trial, then, dueAt);
      await until(trial, then, 1_000);
    },
  },
  {
    name: "another bus' rows wake nobody",
    async run(trial) {
      const abort = new AbortController();
      const next = trial.store.outbox.next(trial.bus, abort.signal);
      await trial.abandon({ outbox: [trial.row()] }, { bus: trial.name("bus") });
      assert(await trial.pending(next));
      abort.abort(new Error("enough"));
      await assertRejects(() => next, Error, "enough");
    },
  },
  {
    name: "a wait ends with its signal, and leaves no timer",
    async run(trial) {
      await trial.commit({ outbox: [trial.row({ dueAt: trial.clock.now() + 3_600_000 })] });
      const abort = new AbortController();
      const next = trial.store.outbox.next(trial.bus, abort.signal);
      assert(await trial.pending(next));
      const reason = new Error("enough");
      abort.abort(reason);
      assertEquals(await assertRejects(() => next), reason);
      assertEquals(trial.clock.pending ?? 0, 0);
      assertEquals(await assertRejects(() => trial.store.outbox.next(trial.bus, abort.signal)), reason);
    },
  },
  {
    name: "a store that is told of rows is told of another process' ones",
    applies: ({ wake }) => wake === "push",
    async run(trial) {
      const other = await trial.elsewhere();
      const next = other.outbox.next(trial.bus, never);
      assert(await trial.pending(next));
      await trial.abandon({ outbox: [trial.row()] });
      await until(trial, next, 2_000);
    },
  },
];
