/** Who goes first. @module */

/** Has what is called later follow what has to wait for something before. */
export class Turns {
  #last: Promise<void> | undefined;

  /** When what was called last has been sent: what is called now follows it. `undefined`: nothing waits. */
  get last(): Promise<void> | undefined {
    return this.#last;
  }

  /**
   * Sends when all has been sent that was called before.
   *
   * @param before what has to be done first; it is not minded how it ends
   */
  async take<Result>(before: Promise<unknown> | undefined, send: () => Promise<Result>): Promise<Result> {
    let sent: Promise<Result> | undefined;
    const turn = Promise.allSettled([this.#last, before]).then(() => {
      // Together: in between nothing may be called that would pass it.
      if (this.#last === turn) this.#last = undefined;
      sent = send();
      sent.catch(() => {}); // whoever waits for it gets it
    });
    this.#last = turn;
    await turn;
    return await sent!; // made above
  }
}
