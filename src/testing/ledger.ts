/** What outlives the instances of a simulated application. @module */
import type { Life } from "./life.ts";

/** What has been written down, in order. It outlives the instances: the world's database, so to say. */
export interface Ledger<out Entry> {
  /** In order. */
  readonly entries: readonly Entry[];
}

/** A ledger, as an instance sees it. */
export interface WritableLedger<in out Entry> extends Ledger<Entry> {
  /**
   * Writes an entry down. The instance may crash before and after.
   *
   * @throws {InstanceCrashedError} if it has crashed, or does: before, the entry is not written
   */
  append(entry: Entry): void;
}

/** A ledger of the world. */
export class WorldLedger<Entry> implements Ledger<Entry> {
  readonly entries: Entry[] = [];
}

/** The ledger of a world in the hands of an instance. */
export class InstanceLedger<Entry> implements WritableLedger<Entry> {
  readonly #ledger: WorldLedger<Entry>;
  readonly #life: Life;
  readonly #name: string;

  constructor(ledger: WorldLedger<Entry>, life: Life, name: string) {
    this.#ledger = ledger;
    this.#life = life;
    this.#name = name;
  }

  get entries(): readonly Entry[] {
    return this.#ledger.entries;
  }

  append(entry: Entry): void {
    this.#life.cross(`ledger ${this.#name}`);
    this.#ledger.entries.push(entry);
    this.#life.cross(`after ledger ${this.#name}`);
  }
}
