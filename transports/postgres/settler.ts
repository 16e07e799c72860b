/** The settlements of a receiver, on their way. @module */
import type { Held } from "./message.ts";
import { News } from "./news.ts";
import type { Services } from "./services.ts";
import { readSettled, settleStatements, type Settling } from "./settling.ts";
import type { Lease } from "./lease.ts";
import type { Queue } from "./topology.ts";

/** What holds the messages that are settled. */
export interface Holder {
  holds(lease: Lease): boolean;
  undo(wanted: readonly Settling[]): void;
  settled(wanted: readonly Settling[]): void;
}

/** One call of `settle`. */
interface Call {
  left: number;
  failure: Error | undefined;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/** Collects settlements until there is a flight for them; each call hears when all of its own are settled. */
export class Settler {
  readonly #services: Services;
  readonly #receiver: { readonly abandoned: boolean; readonly queue: Queue };
  readonly #claims: Holder;
  #waiting: Settling[] = [];
  readonly #calls = new Map<Settling, Call>();

  /** @param receiver `abandoned`: its queue is gone, so nothing goes back there */
  constructor(services: Services, receiver: { readonly abandoned: boolean; readonly queue: Queue }, claims: Holder) {
    this.#services = services;
    this.#receiver = receiver;
    this.#claims = claims;
  }

  /** Whether nothing waits for a flight. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** How many wait for a flight. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Whether there is such a one among them. */
  some(is: (each: Settling) => boolean): boolean {
    return this.#waiting.some(is);
  }

  /** Adds what one call settles. */
  add(wanted: readonly Settling[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const call: Call = { left: wanted.length, failure: undefined, resolve, reject };
      for (const each of wanted) {
        this.#waiting.push(each);
        this.#calls.set(each, call);
      }
    });
  }

  /** Takes all that waits; what was lost meanwhile is done with. */
  take(
    isPlain: (each: Settling) => boolean,
  ): { readonly plain: readonly Settling[]; readonly others: readonly Settling[] } {
    const [plain, others, lost]: [Settling[], Settling[], Settling[]] = [[], [], []];
    for (const each of this.#waiting.splice(0)) {
      (!this.#claims.holds(each.lease) ? lost : isPlain(each) ? plain : others).push(each);
    }
    this.#done(lost, new Map());
    return { plain, others };
  }

  /** They could not be written: they wait for the next flight. */
  putBack(some: readonly Settling[]): void {
    this.#waiting = [...some, ...this.#waiting];
  }

  /** Accepts what is plain. */
  async accept(plain: readonly Settling[]): Promise<void> {
    const { database, messages } = this.#services;
    try {
      this.accepted(plain, await messages.accept(database, plain.map(({ lease }) => lease)));
    } catch (error) {
      this.putBack(plain);
      throw error;
    }
  }

  /** These places were accepted. The others' leases have ended, or the order of their keys has begun to count. */
  accepted(plain: readonly Settling[], places: ReadonlySet<number>): void {
    const gone = plain.filter(({ lease }) => places.has(lease.place));
    this.#claims.settled(gone);
    this.#done(gone, new Map());
    const others = plain.filter(({ lease }) => !places.has(lease.place));
    this.putBack(others.map((each) => {
      const again = { ...each, inOrder: true };
      const call = this.#calls.get(each);
      this.#calls.delete(each);
      if (call !== undefined) this.#calls.set(again, call);
      return again;
    }));
  }

  /** Writes all others in one transaction. */
  async write(others: readonly Settling[]): Promise<void> {
    const services = this.#services;
    const { database, messages, announce } = services;
    const { queue, abandoned } = this.#receiver;
    const news = new News();
    let failures: ReadonlyMap<Lease, Error>;
    try {
      const made = settleStatements(messages, others, abandoned, false);
      const results = await database.write(made.statements, database.end);
      failures = readSettled(services, others, made, results, queue.id, news);
    } catch (error) {
      this.putBack(others);
      throw error;
    }
    this.#claims.undo(others.filter(({ lease }) => failures.has(lease)));
    this.#claims.settled(others.filter(({ lease }) => !failures.has(lease)));
    this.#done(others, failures);
    announce(news);
  }

  /** Takes away what was claimed though it had expired. What fails is done when the lease has ended. */
  drop(expired: readonly Held[]): void {
    if (expired.length === 0) return;
    const { database, messages, announce, failed } = this.#services;
    messages.drop(database, expired).then(announce, failed);
  }

  /** Whoever waits hears that it is over. */
  close(): void {
    for (const call of new Set(this.#calls.values())) call.resolve();
    this.#calls.clear();
    this.#waiting = [];
  }

  #done(some: readonly Settling[], failures: ReadonlyMap<Lease, Error>): void {
    for (const each of some) {
      const call = this.#calls.get(each);
      this.#calls.delete(each);
      if (call === undefined) continue;
      call.failure ??= failures.get(each.lease);
      if (--call.left > 0) continue;
      if (call.failure === undefined) call.resolve();
      else call.reject(call.failure);
    }
  }
}
