/** How a transport is, as it tells its bus. @module */
import type { Host } from "../../src/spi/transport.ts";

/** What is wrong, if anything is. */
export class Standing {
  /** Why the broker takes no messages; `undefined`: it takes them. */
  blocked: string | undefined;
  /** Why a connection is not there. */
  cause: Error | undefined;
  /** By whoever has it: a receiver, or the sorting of dead letters. */
  readonly #troubles = new Map<object, Error>();

  /** Somebody has trouble, or (`undefined`) none any more; false: that is known already. */
  troubled(who: object, cause: Error | undefined): boolean {
    if (cause === undefined) return this.#troubles.delete(who);
    this.#troubles.set(who, cause);
    return true;
  }

  /** @param ready whether the connections are there */
  status(ready: boolean): Parameters<Host["status"]>[0] {
    const { blocked, cause } = this;
    if (!ready) return { state: "down", ...(cause === undefined ? {} : { cause }) };
    if (blocked !== undefined) {
      return { state: "degraded", cause: new Error(`The broker takes no messages: ${blocked}`) };
    }
    const [trouble] = this.#troubles.values();
    return trouble === undefined ? { state: "up" } : { state: "degraded", cause: trouble };
  }
}
