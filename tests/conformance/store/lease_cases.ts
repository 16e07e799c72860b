/** Leases by name. */
import { assert, assertEquals } from "@std/assert";
import type { StoreCase } from "./trial.ts";

export const leaseCases: readonly StoreCase[] = [
  {
    name: "a lease has one owner, who may renew it",
    async run(trial) {
      const name = trial.name("lease");
      const other = await trial.elsewhere();
      const first = await trial.store.lease(name, "a", 60_000);
      assert(first !== undefined);
      assertEquals(await other.lease(name, "b", 60_000), undefined);
      assertEquals(await trial.store.lease(name, "a", 3_600_000), first);
      assertEquals(await other.lease(name, "b", 60_000), undefined);
      // Shortened, and not lengthened, to see that the last time counts: that needs no time that a slow machine lacks.
      assertEquals(await trial.store.lease(name, "a", 50), first);
      await trial.clock.pass(60);
      assert(await other.lease(name, "b", 60_000) !== undefined);
    },
  },
  {
    name: "a lease that ended is another's, with a higher fence",
    async run(trial) {
      const name = trial.name("lease");
      const other = await trial.elsewhere();
      const fences: number[] = [];
      for (const [at, owner] of ["a", "b", "a", "b"].entries()) {
        const lease = await (at % 2 === 0 ? trial.store : other).lease(name, owner, 50);
        assert(lease !== undefined, `"${owner}" did not get it`);
        fences.push(lease.fence);
        await trial.clock.pass(60);
      }
      assertEquals(fences, [...new Set(fences)].sort((a, b) => a - b));
    },
  },
  {
    name: "a lease for no time is given back",
    async run(trial) {
      const name = trial.name("lease");
      await trial.store.lease(name, "a", 60_000);
      await trial.store.lease(name, "a", 0);
      assert(await trial.store.lease(name, "b", 60_000) !== undefined);
      assertEquals(await trial.store.lease(name, "a", 60_000), undefined);
    },
  },
  {
    name: "leases of different names are different",
    async run(trial) {
      const [one, other] = [trial.name("lease"), trial.name("lease")];
      assert(await trial.store.lease(one, "a", 1_000) !== undefined);
      assert(await trial.store.lease(other, "b", 1_000) !== undefined);
    },
  },
  {
    name: "of ten that ask at once one gets it",
    async run(trial) {
      const name = trial.name("lease");
      const stores = [trial.store, await trial.elsewhere()];
      const got = await trial.settled(Promise.all(
        Array.from({ length: 10 }, (_, at) => stores[at % 2]!.lease(name, `owner ${at}`, 10_000)),
      ));
      assertEquals(got.filter((each) => each !== undefined).length, 1);
    },
  },
];
