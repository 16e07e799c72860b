/** Where a client of postgres.js connects to. @module */
import type { Sql } from "postgres";
import type { PostgresOptions } from "./postgres.ts";

type Connection = NonNullable<PostgresOptions["connection"]>;

/** Options for connections of one's own that lead where a client's lead, as the same user. The client is not used. */
export function optionsOf({ options }: Sql): PostgresOptions {
  const { host, port, path, pass, target_session_attrs } = options;
  const { database, user, ssl, connect_timeout, keep_alive, connection } = options;
  // Its types call lists of hosts and ports one host and one port here, and a password none there.
  const typed = { host, port, password: pass } as unknown as Pick<Connection, "host" | "port" | "password">;
  return {
    ...options.prepare ? {} : { prepare: false },
    connection: {
      ...typed,
      ...path === undefined ? {} : { path },
      ...target_session_attrs === undefined ? {} : { target_session_attrs },
      database,
      user,
      ssl,
      connect_timeout,
      keep_alive,
      connection,
    },
  };
}
