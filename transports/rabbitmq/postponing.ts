/** Messages that have come before they are due. @module */
import type { Clock } from "../../src/spi/clock.ts";
import type { Claim } from "./claims.ts";
import { Retries } from "./retries.ts";

/** What puts one off needs. */
export interface PostponingServices {
  /** A copy of it into the queue that it came from, at a time (epoch milliseconds); resolves when the broker has it. */
  postpone(claim: Claim, dueAt: number): Promise<void>;
  /** Why that fails; `undefined`: it does no more. */
  troubled(cause: Error | undefined): void;
}

interface Early {
  readonly claim: Claim;
  readonly dueAt: number;
}

/**
 * Puts off what has come too early, as its delay is longer than the broker keeps. Where that fails the message is held,
 * and put off later: given back, it would come again at once.
 */
export class Postponing {
  readonly #services: PostponingServices;
  readonly #retries: Retries<Early>;
  /** Whether it was told that this fails. */
  #isTrouble = false;
  /** Nothing is held any more. */
  #giveBack: ((claim: Claim) => void) | undefined;

  constructor(clock: Clock, services: PostponingServices) {
    this.#services = services;
    this.#retries = new Retries(clock, (early) => this.#try(early));
  }

  /** One has come. */
  add(claim: Claim, dueAt: number): void {
    claim.state = "copying";
    this.#try({ claim, dueAt });
  }

  /** From now on, what cannot be put off goes back; what is held goes at once. */
  stop(giveBack: (claim: Claim) => void): void {
    this.#giveBack = giveBack;
    for (const { claim } of this.#retries.clear()) giveBack(claim);
  }

  /** The channel is gone, and all claims with it. */
  clear(): void {
    this.#isTrouble = false; // a receiver that consumes again is well
    this.#retries.clear();
  }

  #try(early: Early): void {
    const { claim, dueAt } = early;
    this.#services.postpone(claim, dueAt).then(() => {
      if (claim.state === "copying") claim.claims.accept(claim);
      if (!this.#retries.over(early) || !this.#isTrouble) return;
      this.#isTrouble = false;
      this.#services.troubled(undefined);
    }, (error: Error) => {
      if (claim.state !== "copying") return; // lost meanwhile: it comes again
      if (this.#giveBack !== undefined) return this.#giveBack(claim);
      this.#retries.failed(early);
      this.#isTrouble = true;
      this.#services.troubled(error);
    });
  }
}
