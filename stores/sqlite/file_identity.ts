/** Whether a file is still the one that was opened. @module */
import type { BigIntStats } from "node:fs";
import { StoreUnavailableError } from "../../src/errors/store.ts";
import { storeName } from "./errors.ts";

/** How often is looked. */
const everyMs = 10_000;

/** Told where the file is gone; `undefined`: it is there again. */
export type GoneListener = (gone: StoreUnavailableError | undefined) => void;

/** Runs something in so many milliseconds; gives what takes that back. */
type Soon = (ms: number, run: () => void) => () => void;

/**
 * Notices that a file was deleted or that another has taken its place, while it is open, and so with its log: SQLite goes
 * on with what it has open, which nobody finds again. It looks at names alone: that a process closes any descriptor of the
 * file takes SQLite's locks of it away.
 */
export class FileIdentity {
  readonly listeners = new Set<GoneListener>();
  readonly #path: string;
  readonly #soon: Soon;
  /** Those that were seen, by name. */
  readonly #known = new Map<string, string>();
  #gone: StoreUnavailableError | undefined;
  #disarm: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;

  /**
   * Begins to look.
   *
   * @param path its own, as SQLite knows it
   */
  constructor(path: string, soon: Soon) {
    this.#path = path;
    this.#soon = soon;
    void this.look();
  }

  /** Why it cannot be gone on with; `undefined`: it can. */
  get gone(): StoreUnavailableError | undefined {
    return this.#gone;
  }

  /** Looks now. Never rejects. */
  look(): Promise<void> {
    return this.#looking ??= this.#look().finally(() => this.#looking = undefined);
  }

  /** Looks no more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#disarm?.();
    await this.#looking;
  }

  async #look(): Promise<void> {
    this.#disarm?.();
    const { stat } = await import("node:fs/promises");
    for (const [path, what] of [[this.#path, "it"], [`${this.#path}-wal`, "its log"]] as const) {
      let now: string | undefined;
      try {
        now = nameOf(await stat(path, { bigint: true }));
      } catch (error) {
        if (!isMissing(error)) continue; // nothing is known
      }
      const before = this.#known.get(path);
      if (before === undefined && now !== undefined) this.#known.set(path, now);
      if (before === undefined || before === now) continue;
      return this.#tell(now === undefined ? `${what} was deleted` : `another file has taken the place of ${what}`);
    }
    this.#tell(undefined);
  }

  #tell(what: string | undefined): void {
    if (this.#closed) return;
    this.#disarm = this.#soon(everyMs, () => void this.look());
    if ((what === undefined) === (this.#gone === undefined)) return;
    this.#gone = what === undefined ? undefined : new StoreUnavailableError(
      storeName,
      this.#path,
      `${what} while this process had it open, and what is written since is lost when this process ends: stop all that ` +
        `have it open, put the file in place that is to be used, without the log of another, and start them anew`,
    );
    for (const listener of [...this.listeners]) listener(this.#gone);
  }
}

/** By which a system knows a file. */
function nameOf({ dev, ino }: BigIntStats): string {
  return `${dev} ${ino}`;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
