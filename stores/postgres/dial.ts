/** How connections are made. @module */
import type { Options, Sql } from "postgres";
import type { Client } from "./client.ts";

/** Makes one connection. */
export type Dial = (options: Options<Record<string, never>>) => Sql;

/** The client with its options, and what is said of each connection. */
export function dialer(client: Client, url: string | undefined, options: Options<Record<string, never>>): Dial {
  return (own) => {
    const all = { ...options, ...own };
    return url === undefined ? client(all) : client(url, all);
  };
}

/**
 * Has a client that ends open no connection any more. postgres.js begins to open one again for what is queued when the
 * last is lost, and `end` does not stop it: the connection would be there, and the process with it, until the server
 * ends. It asks for a socket each time; one that never comes holds nothing.
 */
export function dialNoMore(sql: Sql): void {
  Object.assign(sql.options, { socket: () => new Promise(() => {}) });
}
