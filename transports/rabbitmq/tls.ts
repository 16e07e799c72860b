/** TLS, as sockets are told of it. @module */
import { checkOptionNames, type OptionNames } from "../../src/values/option_names.ts";

/** Certificates in PEM. */
export interface RabbitmqTls {
  /** Of the authorities that are trusted. Left out: those of the runtime. */
  readonly ca?: string | readonly string[];
  /** The client's certificate. */
  readonly cert?: string;
  /** The client's key. */
  readonly key?: string;
  /** What the key is encrypted with. */
  readonly passphrase?: string;
  /** The name that the broker's certificate must have. Left out: the host of the URL. */
  readonly serverName?: string;
}

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
