/** npm:pg as a store's driver: what an application would write. */
import pg from "pg";
import type {
  JoinedSession,
  SqlClient,
  SqlConnection,
  SqlRow,
  SqlValue,
  UseTransaction,
} from "../../../stores/postgres/mod.ts";

/** What a handler writes with. */
export interface PgTransaction {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
}
/** The part of npm:pg that is used, which has no types of its own. */
interface PgClient extends PgTransaction {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  query(query: {
    readonly text: string;
    readonly values?: readonly unknown[];
    readonly rowMode: "array";
  }): Promise<{ readonly rows: readonly SqlRow[] }>;
  on(event: "error", heard: (error: Error) => void): void;
  on(event: "notification", heard: (message: { readonly payload?: string }) => void): void;
  off(event: "error", heard: (error: Error) => void): void;
  connect(): Promise<void>;
  release(broken?: boolean): void;
  end(): Promise<void>;
}
interface PgPool extends Pick<PgClient, "query" | "end"> {
  on(event: "error", heard: (error: Error) => void): void;
  connect(): Promise<PgClient>;
}
interface Pg {
  readonly Pool: new (options: { readonly connectionString: string; readonly max: number }) => PgPool;
  readonly Client: new (options: { readonly connectionString: string }) => PgClient;
}
const { Pool, Client } = pg as unknown as Pg; // as above

async function ask(
  on: Pick<PgClient, "query">,
  text: string,
  values: readonly SqlValue[] = [],
): Promise<readonly SqlRow[]> {
  const { rows } = await on.query({ text, rowMode: "array", ...values.length === 0 ? {} : { values } });
  return rows;
}

/** A pool of npm:pg. */
export function pgClient(url: string, max = 10): SqlClient<PgTransaction> {
  const pool = new Pool({ connectionString: url, max });
  pool.on("error", () => {}); // an idle one was lost: the pool makes another
  return {
    max,
    query: (text, values) => ask(pool, text, values),
    async connect(signal: AbortSignal): Promise<SqlConnection<PgTransaction>> {
      const client = await pool.connect();
      if (signal.aborted) {
        client.release();
        throw signal.reason;
      }
      let lost = false;
      const lose = (): void => void (lost = true);
      client.on("error", lose);
      return {
        tx: client,
        get lost() {
          return lost;
        },
        query: (text, values) => ask(client, text, values),
        release(broken = false) {
          client.off("error", lose);
          client.release(broken || lost);
        },
      };
    },
    join: (tx): JoinedSession => ({
      query: (text, values) => ask(tx as PgClient, text, values),
      script: (text) => tx.query(text),
    }),
    defer: (use: UseTransaction<PgTransaction>) => ({
      query: (...args: Parameters<PgTransaction["query"]>) => use((tx) => tx.query(...args)),
    }),
    async listen(channel, heard) {
      const client = new Client({ connectionString: url });
      client.on("error", () => {});
      client.on("notification", ({ payload = "" }) => heard(payload));
      await client.connect();
      await client.query(`LISTEN "${channel.replaceAll('"', '""')}"`);
      return () => client.end();
    },
    close: () => pool.end(),
  };
}
