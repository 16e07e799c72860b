/** What statements give: each failure is whoever's waits for it, or else its unit's. @module */

/** That a statement fails. */
interface Failure {
  /** Whether somebody will be told of it. */
  heard: boolean;
}

/** A promise that knows whether anybody would be told that it rejects. */
class Answer<Result> extends Promise<Result> {
  /** Shared with what follows from it, up to who is told. */
  #failure: Failure | undefined;

  /** @param failure what this would be */
  static make<Result>(
    failure: Failure,
    work: (resolve: (result: Result) => void, reject: (thrown: unknown) => void) => void,
  ): Answer<Result> {
    const answer = new Answer<Result>(work);
    answer.#failure = failure;
    return answer;
  }

  /** Who waits for nothing is not ended by it: the unit is. */
  hush(): void {
    super.then(undefined, () => {});
  }

  override then<Done = Result, Failed = never>(
    done?: ((result: Result) => Done | PromiseLike<Done>) | null,
    failed?: ((reason: unknown) => Failed | PromiseLike<Failed>) | null,
  ): Promise<Done | Failed> {
    const next = super.then(done, failed);
    const failure = this.#failure;
    if (failure === undefined) return next;
    if (typeof failed === "function") failure.heard = true;
    else if (next instanceof Answer) next.#failure = failure;
    return next;
  }

  /** Tells nobody: what follows rejects as well. */
  override finally(then?: (() => void) | null): Promise<Result> {
    const failure = this.#failure;
    this.#failure = undefined;
    const next = super.finally(then);
    this.#failure = failure;
    if (next instanceof Answer) next.#failure = failure;
    return next;
  }
}

/** The failures of a unit's statements. */
export class Failures {
  #noted: (Failure & { readonly thrown: unknown })[] | undefined;

  /** What a statement gives that has failed. */
  failed(thrown: unknown): Promise<never> {
    const failure = { heard: false, thrown };
    (this.#noted ??= []).push(failure);
    const answer = Answer.make<never>(failure, (_, reject) => reject(thrown));
    answer.hush();
    return answer;
  }

  /** What a statement gives that runs when `open` resolves. */
  later<Opened, Result>(open: Promise<Opened>, run: (opened: Opened) => Result): Promise<Result> {
    const failure: Failure & { thrown: unknown } = { heard: false, thrown: undefined };
    const answer: Answer<Result> = Answer.make(failure, (resolve, reject) => {
      const fail = (thrown: unknown): void => {
        failure.thrown = thrown;
        (this.#noted ??= []).push(failure); // now: a commit may be next
        answer.hush();
        reject(thrown);
      };
      open.then((opened) => {
        try {
          resolve(run(opened));
        } catch (thrown) {
          fail(thrown);
        }
      }, fail);
    });
    return answer;
  }

  /** @throws the first that nobody was told of, where there is one: once */
  check(): void {
    const unheard = this.#noted?.find(({ heard }) => !heard);
    this.clear();
    if (unheard !== undefined) throw unheard.thrown;
  }
  /** They are undone. */
  clear(): void {
    this.#noted = undefined;
  }
}
