/** What the runtime itself does not permit. @module */
import { ConfigurationError } from "./configuration.ts";

/**
 * What it means that the runtime keeps this process from something, which no waiting mends: Deno where a permission was
 * not given, Node with `--permission`.
 *
 * @param what it was to use, as in `the SQLite file "orders.db"`
 * @param flags what all of its work needs on Deno, as in `--allow-net`
 * @returns `undefined` for any other error
 */
export function notPermitted(error: unknown, what: string, flags: string): ConfigurationError | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error ? error.code : undefined;
  // Deno looks up no name where it may not: `getaddrinfo EPERM localhost`.
  const unresolved = code === "EPERM" && "syscall" in error && error.syscall === "getaddrinfo";
  if (error.name !== "NotCapable" && code !== "ERR_ACCESS_DENIED" && !unresolved) return undefined;
  return new ConfigurationError(
    `Cannot use ${what}: this process was started without the permission. ${error.message}. ` +
      `On Deno, all that it does there takes ${flags}`,
    { cause: error },
  );
}
