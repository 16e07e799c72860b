/** What has happened to messages, in order. @module */
import type {
  BusObserver,
  Observed,
  ObservedDelivery,
  ObservedFailure,
  ObservedSend,
  Unhandled,
} from "../pipeline/observers.ts";
import { table } from "./table.ts";

/** What happened to a message. */
export type Happening =
  | "sent"
  | "published"
  | "requested"
  | "responded"
  | "refused"
  | "received"
  | "retried"
  | "redelivered"
  | "consumed"
  | "faulted"
  | "discarded"
  | Unhandled
  | Incident;

/** What happened to an instance of a simulated application. */
export type Incident = "started" | "stopped" | "crashed" | "disconnected" | "failed" | "duplicated";

/** One thing that happened to a message. */
export interface TimelineEntry {
  /** Milliseconds on the virtual clock since the harness was made. */
  readonly atInMs: number;
  /** What happened to it. */
  readonly what: Happening;
  /** The bus that tells. */
  readonly bus: string;
  /** The name of the contract; empty for an incident. */
  readonly contract: string;
  /** Where: the endpoint, or where it was sent to, as in `topic:orders.submitted`; of an incident, what was going on. */
  readonly where: string;
  /** From 1; `undefined` for what is sent. */
  readonly attempt: number | undefined;
  /** The same on every attempt; empty for an incident that touches no single message. */
  readonly messageId: string;
  /** Why it was refused, failed or was given up. */
  readonly error: Error | undefined;
  /** What the bus told; `undefined` for an incident. */
  readonly observed: Observed | undefined;
}

/** With what only the harness needs. */
interface Recorded extends TimelineEntry {
  /** As `performance.now()`: how long something has been going on is told in real time. */
  readonly realInMs: number;
}

const sends: Readonly<Record<ObservedSend["kind"], Happening>> = {
  send: "sent",
  publish: "published",
  request: "requested",
  respond: "responded",
  fault: "published",
};
const failures: Readonly<Record<ObservedFailure["then"], Happening>> = {
  retry: "retried",
  redeliver: "redelivered",
  error: "faulted",
  discard: "discarded",
};

const inspect: readonly symbol[] = [Symbol.for("Deno.customInspect"), Symbol.for("nodejs.util.inspect.custom")];

/** Records what buses tell. Prints as a table. */
export class Timeline {
  readonly #entries: Recorded[] = [];
  readonly #clock: { now(): number };
  readonly #start: number;

  /**
   * Without entries.
   *
   * @param clock whose time counts, from now on
   */
  constructor(clock: { now(): number }) {
    this.#clock = clock;
    this.#start = clock.now();
    // Wherever a test prints it, it is a table.
    for (const symbol of inspect) Object.defineProperty(this, symbol, { value: () => this.toString() });
  }

  /** In order. */
  get entries(): readonly TimelineEntry[] {
    return this.#entries;
  }

  /** For how long an endpoint has had a message, in real milliseconds; `undefined` if it was not told of it. */
  heldFor(endpoint: string, messageId: string): number | undefined {
    const came = this.#entries.findLast((entry) =>
      entry.what === "received" && entry.messageId === messageId && entry.where === endpoint
    );
    return came === undefined ? undefined : performance.now() - came.realInMs;
  }

  /** What a bus shall be observed with. */
  observer(bus: string): BusObserver {
    const send = (observed: ObservedSend) => {
      const what = observed.error === undefined ? sends[observed.kind] : "refused";
      this.#add(bus, what, observed, observed.to, undefined, observed.error);
    };
    const delivery = (what: Happening, observed: ObservedDelivery, error?: Error) =>
      this.#add(bus, what, observed, observed.endpoint, observed.attempt, error);
    const failure = (observed: ObservedFailure) => delivery(failures[observed.then], observed, observed.error);
    return {
      sent: send,
      published: send,
      received: (observed) => delivery("received", observed),
      consumed: (observed) => delivery("consumed", observed),
      retried: failure,
      faulted: failure,
      unhandled: (observed, why) => delivery(why, observed),
    };
  }

  /** Records what happened to an instance. */
  note(bus: string, what: Incident, where: string, messageId = ""): void {
    this.#push(bus, what, undefined, where, messageId, undefined, undefined);
  }

  #add(
    bus: string,
    what: Happening,
    observed: Observed,
    where: string,
    attempt: number | undefined,
    error: Error | undefined,
  ): void {
    this.#push(bus, what, observed, where, observed.messageId, attempt, error);
  }

  #push(
    bus: string,
    what: Happening,
    observed: Observed | undefined,
    where: string,
    messageId: string,
    attempt: number | undefined,
    error: Error | undefined,
  ): void {
    const contract = observed?.name ?? "";
    const [atInMs, realInMs] = [this.#clock.now() - this.#start, performance.now()];
    this.#entries.push({ atInMs, what, bus, contract, where, attempt, messageId, error, observed, realInMs });
  }

  /** An aligned table, one line for each entry. */
  toString(): string {
    if (this.#entries.length === 0) return "(nothing has happened)";
    const several = new Set(this.#entries.map(({ bus }) => bus)).size > 1;
    return table(
      ["time", "bus", "what", "contract", "where", "attempt", "message", "error"],
      this.#entries.map(({ atInMs, bus, what, contract, where, attempt, messageId, error }) => [
        offset(atInMs),
        several ? bus : "",
        what,
        contract,
        where,
        attempt === undefined ? "" : String(attempt),
        messageId,
        error === undefined ? "" : `${error.name}: ${error.message.split("\n", 1)[0] ?? ""}`,
      ]),
    );
  }
}

/** `+1:02:03.004`, as short as may be. */
function offset(atInMs: number): string {
  const [hours, minutes] = [Math.floor(atInMs / 3_600_000), Math.floor(atInMs / 60_000) % 60];
  const seconds = (atInMs % 60_000 / 1000).toFixed(3);
  if (hours === 0 && minutes === 0) return `+${seconds}`;
  const short = `${minutes}:${seconds.padStart(6, "0")}`;
  return hours === 0 ? `+${short}` : `+${hours}:${short.padStart(9, "0")}`;
}
