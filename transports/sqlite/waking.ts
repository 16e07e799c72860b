/** How a process learns of what others have written. @module */
import type { Session } from "../../stores/sqlite/due.ts";

/** What a watch of a file is here. */
interface Watcher {
  on(event: "error", listener: (error: unknown) => void): unknown;
  close(): void;
}

/**
 * After word of a write it looks so often, in milliseconds: a commit can be seen only once the disk has it, which is
 * after the write that the system told of; and some runtimes leave out the last of several words in a short time.
 */
const looksMs: readonly number[] = [1, 2, 4, 8, 16, 32, 64];

/**
 * Tells when another connection has written to the file. A commit appends to the write-ahead log, of which the system
 * tells; where it does not (some file systems, a file that was replaced), a look at `PRAGMA data_version` every so often
 * does. That number changes on the writer's connection with commits of others alone.
 */
export class Waking {
  readonly #session: Session;
  readonly #everyMs: number;
  readonly #changed: () => void;
  readonly #tick: () => void;
  #version = -1;
  #watcher: Watcher | undefined;
  #disarm: (() => void) | undefined;
  #disarmLook: (() => void) | undefined;
  /** How often it has looked since the last word. */
  #looks = 0;
  #closed = false;

  /**
   * @param changed another connection has written
   * @param tick called every so often, whatever has happened
   */
  constructor(session: Session, everyMs: number, changed: () => void, tick: () => void) {
    this.#session = session;
    this.#everyMs = everyMs;
    this.#changed = changed;
    this.#tick = tick;
  }

  async start(): Promise<void> {
    this.#look();
    this.#arm();
    const { watch } = await import("node:fs");
    if (this.#closed) return;
    try {
      this.#watcher = watch(`${this.#session.file.path}-wal`, { persistent: false }, () => this.#told());
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      // Then it looks every so often.
    }
  }

  close(): void {
    this.#closed = true;
    this.#disarm?.();
    this.#disarmLook?.();
    this.#unwatch();
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #told(): void {
    if (this.#closed) return;
    this.#look();
    this.#disarmLook?.();
    this.#looks = 0;
    this.#lookSoon();
  }

  #lookSoon(): void {
    const ms = looksMs[this.#looks++];
    if (ms === undefined || this.#closed) return;
    const { clock } = this.#session;
    this.#disarmLook = (clock.background ?? clock).at(clock.now() + ms, () => {
      this.#look();
      this.#lookSoon();
    });
  }

  #arm(): void {
    const { clock } = this.#session;
    this.#disarm = (clock.background ?? clock).at(clock.now() + this.#everyMs, () => {
      if (this.#closed) return;
      this.#look();
      this.#tick();
      this.#arm();
    });
  }

  #look(): void {
    if (this.#closed) return;
    try {
      const found = this.#session.file.writer.prepare("PRAGMA data_version").get() as { readonly data_version: number };
      if (found.data_version === this.#version) return;
      this.#version = found.data_version;
    } catch {
      return; // it is locked, or gone: whoever reads or writes next finds out
    }
    this.#changed();
  }
}
