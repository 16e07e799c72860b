/** TLS, as sockets are told of it. @module */
import { checkOptionNames, type OptionNames } from "../../src/values/option_names.ts";
import type { RabbitmqTls } from "./options.ts";

/** What {@linkcode RabbitmqTls} may name. */
const names: OptionNames<RabbitmqTls> = { ca: true, cert: true, key: true, passphrase: true, serverName: true };

/**
 * What is not obeyed leaves a connection less safe than whoever asks for it thinks.
 *
 * @throws {ConfigurationError} if it names what there is not
 */
export function checkTls(tls: RabbitmqTls): void {
  checkOptionNames(tls, names, "{ tls } of rabbitmq()");
}

/** As the runtime's own sockets name it. */
export function secured({ ca, serverName, ...rest }: RabbitmqTls): Record<string, string | string[]> {
  return {
    ...rest,
    ...(ca === undefined ? {} : { ca: typeof ca === "string" ? ca : [...ca] }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}
