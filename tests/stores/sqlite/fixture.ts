/** A SQLite store of one test, on a file of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Changes } from "../../../src/spi/rows.ts";
import type { Scope, Store, Unit } from "../../../src/spi/store.ts";
import { sqlite, type SqliteOptions, type SqliteTransaction } from "../../../stores/sqlite/mod.ts";
import { changes } from "../../conformance/store/trial.ts";
import { type TestClock, virtualTime } from "../../conformance/test_clock.ts";

/** The bus whose rows these are. */
export const bus = "orders";
const { signal: never } = new AbortController();

/** What a test works with. */
export interface Under {
  readonly path: string;
  readonly store: Store<SqliteTransaction>;
  readonly clock: TestClock;
  begin(scope?: Partial<Scope>): Promise<Unit<SqliteTransaction>>;
  commit(some: Partial<Changes>, scope?: Partial<Scope>): ReturnType<Unit<SqliteTransaction>["commit"]>;
}

/** Opens a store. */
export async function openStore(store: Store<SqliteTransaction>, clock: TestClock): Promise<Store<SqliteTransaction>> {
  await store.open({ bus, clock, signal: never, status: () => {} });
  return store;
}

/** Runs a test on a new file, with its tables, and takes it away. */
export async function withStore(
  options: Partial<SqliteOptions> & { readonly clock?: TestClock; readonly deploy?: boolean },
  run: (under: Under) => Promise<void>,
): Promise<void> {
  const { clock = virtualTime(), deploy = true, ...rest } = options;
  const folder = await mkdtemp(join(tmpdir(), "hero-sqlite-"));
  const path = join(folder, "store.db");
  const store = sqlite({ path, synchronous: "normal", ...rest });
  try {
    await openStore(store, clock);
    if (deploy) await store.deploy("apply");
    const begin: Under["begin"] = (scope = {}) =>
      store.begin({ bus, partition: "1", inbox: [], signal: never, ...scope });
    const commit: Under["commit"] = async (some, scope) => await (await begin(scope)).commit(changes(some));
    await run({ path, store, clock, begin, commit });
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}
