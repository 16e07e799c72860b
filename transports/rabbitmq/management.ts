/** What the management plugin knows. @module */
import { DisconnectedError } from "../../src/errors/transport.ts";
import type { Clock } from "../../src/spi/clock.ts";
import type { Awaitable } from "../../src/values/awaitable.ts";
import { toBase64 } from "../../src/values/base64.ts";
import { textOf, transportName } from "./errors.ts";
import type { RabbitmqCredentials } from "./options.ts";

/** A binding as the broker has it. */
export interface KnownBinding {
  readonly source: string;
  readonly destination: string;
  readonly ofQueue: boolean;
  readonly routingKey: string;
}

/** How long it may take to answer. */
const patienceInMs = 10_000;

/** Asks a broker over HTTP for what AMQP does not tell. */
export class Management {
  readonly #url: string;
  readonly #credentials: () => Awaitable<RabbitmqCredentials>;
  readonly #clock: Clock;

  /**
   * @param url as in `http://user:password@host:15672`
   * @param credentials asked each time where it has none
   */
  constructor(url: URL, credentials: () => Awaitable<RabbitmqCredentials>, clock: Clock) {
    this.#clock = clock;
    const username = decodeURIComponent(url.username);
    const password = decodeURIComponent(url.password);
    this.#credentials = username === "" ? credentials : () => ({ username, password });
    this.#url = `${url.origin}${url.pathname.replace(/\/$/, "")}`;
  }

  /**
   * All bindings of a vhost.
   *
   * @throws {DisconnectedError} if it does not answer, or refuses
   * @throws {CredentialsError} if those cannot be had
   */
  async bindings(vhost: string): Promise<readonly KnownBinding[]> {
    const listed = await this.#get(`/api/bindings/${encodeURIComponent(vhost)}`);
    if (!Array.isArray(listed)) return [];
    return listed.map((each: Readonly<Record<string, unknown>>) => ({
      source: String(each["source"]),
      destination: String(each["destination"]),
      ofQueue: each["destination_type"] === "queue",
      routingKey: String(each["routing_key"]),
    }));
  }

  async #get(path: string): Promise<unknown> {
    const { username, password } = await this.#credentials();
    const authorization = `Basic ${toBase64(new TextEncoder().encode(`${username}:${password}`))}`;
    const doing = `ask its management plugin at ${this.#url}`;
    const late = new AbortController();
    const end = this.#clock.at(this.#clock.now() + patienceInMs, () => late.abort(new Error("It does not answer")));
    try {
      const response = await fetch(`${this.#url}${path}`, { headers: { authorization }, signal: late.signal });
      if (response.ok) return await response.json();
      await response.body?.cancel();
      throw new Error(`It answers ${response.status}`);
    } catch (error) {
      throw new DisconnectedError(transportName, `${doing}: ${textOf(error)}`, { cause: error });
    } finally {
      end();
    }
  }
}
