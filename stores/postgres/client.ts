/** The client, loaded when a store opens. @module */
import type postgresJs from "postgres";
import { ConfigurationError } from "../../src/errors/configuration.ts";

/** Makes connections: what `npm:postgres` exports. */
export type Client = typeof postgresJs;

/** Whether a CommonJS module's function is the module or its default differs from runtime to runtime. */
type Module = { readonly default: Client };

/**
 * Loads it.
 *
 * @param load replaced in tests
 * @throws {ConfigurationError} if it is not installed
 */
export async function loadClient(load: () => Promise<Module> = () => import("postgres")): Promise<Client> {
  try {
    return (await load()).default;
  } catch (cause) {
    throw new ConfigurationError(
      `Cannot use PostgreSQL: its client, "postgres", cannot be loaded. ` +
        `Install it beside this package: npm install postgres@3, bun add postgres@3 or deno add npm:postgres@3`,
      { cause },
    );
  }
}
