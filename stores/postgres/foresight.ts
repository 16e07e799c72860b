/** What is asked about messages whose units begin soon. @module */
import { type Awaitable, isPromise } from "../../src/values/awaitable.ts";
import type { BusMessage } from "./inbox.ts";

/** How old an answer may be that a unit goes by. */
const believedMs = 100;

/** Whether a message was handled; `undefined`: nobody knows. */
type Answer = boolean | undefined;

/** The numbers, from 1, of the messages that were handled; `undefined`: nobody knows. */
type Found = ReadonlySet<number> | undefined;

/** A question. */
class Question {
  readonly at: number;
  /** A promise until it is there. */
  found: Awaitable<Found>;

  constructor(at: number, found: Promise<Found>) {
    this.at = at;
    this.found = found;
  }
}

/** A message that has been asked about. */
class Asked {
  readonly question: Question;
  readonly #number: number;

  constructor(question: Question, number: number) {
    this.question = question;
    this.#number = number;
  }

  /** A promise until it is there. */
  get answer(): Awaitable<Answer> {
    const { found } = this.question;
    return isPromise(found) ? found.then((handled) => handled?.has(this.#number)) : found?.has(this.#number);
  }
}

/**
 * Asks the inbox about messages that wait for their turn, so that a unit which begins need not wait for the answer. There
 * is one question at a time, about all that have come meanwhile, and not before there are more of them than of those that
 * are known: of many that wait, it is about half of them.
 *
 * Whoever begins a unit takes the answer. So what this process does with a message cannot come between an answer and the
 * unit that goes by it; what another process does can, within {@linkcode believedMs}, and is found by the commit.
 */
export class Foresight {
  readonly #ask: (messages: readonly BusMessage[]) => Promise<ReadonlySet<number>>;
  readonly #now: () => number;
  #expected = new Map<string, BusMessage>();
  /** The oldest first. */
  readonly #asked = new Map<string, Asked>();
  #asking = false;

  /** @param ask gives the numbers, from 1, of the messages that were handled */
  constructor(ask: (messages: readonly BusMessage[]) => Promise<ReadonlySet<number>>, now: () => number) {
    this.#ask = ask;
    this.#now = now;
  }

  /** A unit of this message is to begin. No unit of it may be running. */
  expect(name: string, message: BusMessage): void {
    if (!this.#asked.has(name)) this.#expected.set(name, message);
  }

  /** A unit begins: whether its message was handled. `undefined`: it has to ask. */
  take(name: string): Awaitable<Answer> {
    if (this.#expected.delete(name)) return undefined;
    const asked = this.#asked.get(name);
    if (asked === undefined) return undefined;
    this.#asked.delete(name);
    this.look();
    return this.#believes(asked) ? asked.answer : undefined;
  }

  /** The same, if the answer is there; else nothing is taken. */
  takeNow(name: string): Answer {
    const asked = this.#asked.get(name);
    const answer = asked !== undefined && this.#believes(asked) ? asked.answer : undefined;
    if (answer === undefined || isPromise(answer)) return undefined;
    this.#asked.delete(name);
    this.look();
    return answer;
  }

  #believes({ question: { at } }: Asked): boolean {
    return this.#now() - at <= believedMs;
  }

  /** Asks, if it is time to. */
  look(): void {
    if (this.#asking || this.#expected.size === 0) return;
    if (this.#expected.size <= this.#asked.size) this.#forget();
    if (this.#expected.size > this.#asked.size) void this.#askAll();
  }

  /** Nobody would go by what is too old. */
  #forget(): void {
    const oldest = this.#now() - believedMs;
    for (const [name, { question }] of this.#asked) {
      if (question.at >= oldest) return;
      this.#asked.delete(name);
    }
  }

  async #askAll(): Promise<void> {
    this.#asking = true;
    const expected = this.#expected;
    this.#expected = new Map();
    const at = this.#now();
    // Whoever begins asks again where this fails, and hears why.
    const found: Promise<Found> = this.#ask([...expected.values()]).catch(() => undefined);
    const question = new Question(at, found);
    let number = 0;
    for (const name of expected.keys()) this.#asked.set(name, new Asked(question, ++number));
    question.found = await found;
    this.#asking = false;
    this.look();
  }
}
