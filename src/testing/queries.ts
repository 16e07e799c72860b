/** What a test asks of the messages of a contract. @module */
import type { Headers } from "../envelope/headers.ts";
import type { Contract } from "../contracts/contract.ts";
import { type Definition, definitionOf } from "../contracts/definition.ts";
import { derives } from "../pipeline/bindings.ts";
import type { Observed } from "../pipeline/observers.ts";
import { HarnessAssertionError } from "./errors.ts";
import type { Happening, Timeline, TimelineEntry } from "./timeline.ts";

/** A message that something happened to. */
export interface Seen<out Message> {
  /** What happened to it, as the timeline says: of what `unhandled` finds, why. */
  readonly what: Happening;
  /** What was sent, as it was then, or what the handler got. */
  readonly message: Message;
  /** The same on every attempt. */
  readonly messageId: string;
  /** What the message is about, as its sender said. */
  readonly correlationId: string | undefined;
  /** What a first message led to shares it. */
  readonly conversationId: string | undefined;
  /** The application's own. */
  readonly headers: Headers;
  /** Milliseconds on the virtual clock since the harness was made. */
  readonly atInMs: number;
  /** The endpoint that had it; `undefined` for what was sent. */
  readonly endpoint: string | undefined;
  /** From 1; `undefined` for what was sent. */
  readonly attempt: number | undefined;
  /** Where it was sent to, as in `topic:orders.submitted`; `undefined` for what came. */
  readonly to: string | undefined;
  /** What its handler failed with; `undefined` if it did not. */
  readonly error: Error | undefined;
}

/** Which of them; left out: all. */
export type SeenFilter<in Message> = (message: Message, seen: Seen<Message>) => boolean;

/**
 * The messages of a contract, and of those that extend it, to which something has happened so far. Asked again, it looks
 * again. After `settled()` a negative answer is certain: nothing is on its way.
 */
export interface MessageQuery<out Message> {
  /** How many there are. */
  readonly count: number;
  /**
   * The only one.
   *
   * @throws {HarnessAssertionError} if there is none, or more than one; it prints the timeline
   */
  one(filter?: SeenFilter<Message>): Seen<Message>;
  /**
   * There is none.
   *
   * @throws {HarnessAssertionError} if there is any; it prints the timeline
   */
  none(filter?: SeenFilter<Message>): void;
  /** All, in order. */
  all(filter?: SeenFilter<Message>): readonly Seen<Message>[];
}

/** A query of a timeline. */
export class TimelineQuery<Message> implements MessageQuery<Message> {
  readonly #timeline: Timeline;
  readonly #definition: Definition;
  readonly #what: readonly Happening[];
  readonly #called: string;

  /** @param called as errors call it */
  constructor(timeline: Timeline, contract: Contract, what: readonly Happening[], called: string) {
    this.#timeline = timeline;
    this.#called = called;
    this.#definition = definitionOf(contract, "the contract to look for");
    this.#what = what;
  }

  get count(): number {
    return this.all().length;
  }

  one(filter?: SeenFilter<Message>): Seen<Message> {
    const found = this.all(filter);
    const [only] = found;
    if (only !== undefined && found.length === 1) return only;
    throw this.#unexpected("one", filter, found.length);
  }

  none(filter?: SeenFilter<Message>): void {
    const { length } = this.all(filter);
    if (length > 0) throw this.#unexpected("no", filter, length);
  }

  all(filter: SeenFilter<Message> = () => true): readonly Seen<Message>[] {
    return this.#timeline.entries
      .flatMap((entry) => {
        const { what, observed } = entry;
        const wanted = this.#what.includes(what) && observed !== undefined && isOf(observed, this.#definition);
        return wanted ? [seen<Message>(entry, observed)] : [];
      })
      .filter((each) => filter(each.message, each));
  }

  #unexpected(count: string, filter: SeenFilter<Message> | undefined, found: number): HarnessAssertionError {
    const which = filter === undefined ? "" : ` for which ${String(filter)}`;
    const expected = `${count} ${this.#called} "${this.#definition.name}"${which}`;
    return new HarnessAssertionError(expected, found, this.#timeline.toString());
  }
}

/** By name, as two versions of a contract are one to whoever looks for it. */
function isOf({ contract, name }: Observed, wanted: Definition): boolean {
  // What no handler was for is known by its type on the wire alone: `name;v=2, base`.
  if (contract === undefined) return name.split(/[;,]/, 1)[0] === wanted.name;
  return derives(definitionOf(contract, "the contract of a message"), wanted);
}

function seen<Message>({ what, atInMs, where, attempt, error }: TimelineEntry, observed: Observed): Seen<Message> {
  const { messageId, correlationId, conversationId, headers } = observed;
  const came = attempt !== undefined;
  return {
    what,
    // The contract by which it was looked for says so.
    message: observed.message as Message,
    messageId,
    correlationId,
    conversationId,
    headers,
    atInMs,
    endpoint: came ? where : undefined,
    attempt,
    to: came ? undefined : where,
    error,
  };
}
