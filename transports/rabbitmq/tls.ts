/** TLS, as sockets are told of it. @module */
import type { RabbitmqTls } from "./options.ts";

/** As the runtime's own sockets name it. */
export function secured({ ca, serverName, ...rest }: RabbitmqTls): Record<string, string | string[]> {
  return {
    ...rest,
    ...(ca === undefined ? {} : { ca: typeof ca === "string" ? ca : [...ca] }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}
