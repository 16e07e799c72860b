/** How a transport or a store is. @module */
import type { Host } from "../spi/transport.ts";
import type { Observers } from "./observers.ts";

/** What a plug-in last said of itself. */
export type PluginStatus = Parameters<Host["status"]>[0];

/** Keeps what a plug-in says of itself, and tells observers when that is something else than before. */
export class ReportedStatus {
  /** As health has it: `transport rabbitmq`. */
  readonly name: string;
  readonly #observers: Observers;
  #now: PluginStatus = { state: "down" };

  constructor(name: string, observers: Observers) {
    this.name = name;
    this.#observers = observers;
  }

  /** What it said last. */
  get now(): PluginStatus {
    return this.#now;
  }

  /** It says how it is: as often as it likes. */
  report(status: PluginStatus): void {
    const { state, cause } = this.#now;
    this.#now = status;
    // Whoever logs this wants no line for each try.
    if (status.state === state && status.cause?.message === cause?.message) return;
    const { name } = this;
    this.#observers.tell((observer) => observer.status?.({ name, state: status.state, cause: status.cause }));
  }

  /** It is open: so it is there, unless it says otherwise. */
  opened(): void {
    if (this.#now.state === "down") this.report({ state: "up" });
  }

  /** It is no longer asked. */
  closed(): void {
    this.#now = { state: "down" };
  }
}
