/** The databases that failures are tried on. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { skip as noPostgres, url as postgresUrl } from "../../stores/postgres/server.ts";
import { BrokerFile } from "./lasting_broker.ts";
import { type Ledger, ledgerAt } from "./ledger.ts";

/** A database that a test may be run on. */
export interface Database {
  readonly name: string;
  /** Why not here. */
  readonly skip: string | undefined;
  /** The address of a ledger that nobody has yet. */
  address(folder: string): string;
}

let schemas = 0;

/** All that there are. */
export const databases: readonly Database[] = [
  { name: "SQLite", skip: undefined, address: (folder) => `sqlite:${join(folder, "service.db")}` },
  {
    name: "PostgreSQL",
    skip: noPostgres,
    address: () => `${postgresUrl}#kill_${Date.now().toString(36)}_${process.pid}_${++schemas}`,
  },
];

/** Works with a new database with a ledger in it, and takes it away. */
export async function withLedger(
  database: Database,
  work: (address: string, ledger: Ledger<unknown>, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "hero-failure-"));
  const address = database.address(folder);
  const ledger = await ledgerAt(address);
  try {
    await ledger.prepare();
    await work(address, ledger, folder);
  } finally {
    await ledger.drop();
    await ledger.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A new database with a ledger, and a broker. */
export interface Bench {
  readonly ledgerAddress: string;
  readonly ledger: Ledger<unknown>;
  readonly brokerPath: string;
  readonly broker: BrokerFile;
}

/** Works with a new database and broker, and takes both away. */
export function withBench(database: Database, work: (bench: Bench) => Promise<void>): Promise<void> {
  return withLedger(database, async (ledgerAddress, ledger, folder) => {
    const brokerPath = join(folder, "broker.db");
    const broker = new BrokerFile(brokerPath);
    try {
      await work({ ledgerAddress, ledger, brokerPath, broker });
    } finally {
      broker.close();
    }
  });
}
