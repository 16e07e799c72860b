/** What a unit of work changes of sagas' instances. @module */
import type { SagaChange, SagaHistoryRow, SagaRow } from "../spi/store.ts";

/** Each instance once, from what the store has to what the unit leaves, however often it was changed meanwhile. */
export class SagaChanges {
  readonly #changes = new Map<string, SagaChange>();

  /** What the commit writes. */
  get all(): readonly SagaChange[] {
    return [...this.#changes.values()];
  }
  get size(): number {
    return this.#changes.size;
  }

  /** What the unit has made of an instance; `undefined`: it has not touched it. */
  of(saga: string, id: string): SagaChange | undefined {
    return this.#changes.size === 0 ? undefined : this.#changes.get(nameOf(saga, id));
  }

  /** Rows of the store as the unit leaves them: changed, or gone. */
  over(rows: readonly SagaRow[]): readonly SagaRow[] {
    if (this.#changes.size === 0) return rows;
    return rows.flatMap((row) => {
      const change = this.of(row.saga, row.id);
      return change === undefined ? [row] : change.after === undefined ? [] : [change.after];
    });
  }

  /**
   * @param before as it was loaded, by this unit or from the store
   * @param happened to be kept
   */
  save(before: SagaRow | undefined, after: SagaRow | undefined, happened: readonly SagaHistoryRow[]): void {
    const { saga, id } = (before ?? after ?? happened[0])!; // one of them is given
    const name = nameOf(saga, id);
    const known = this.#changes.get(name);
    if (known === undefined) {
      this.#changes.set(name, { before, after, history: happened });
      return;
    }
    const history = [...known.history ?? [], ...happened];
    // Made and gone in one unit, and nothing is kept: the store never hears of it.
    if (known.before === undefined && after === undefined && history.length === 0) this.#changes.delete(name);
    else this.#changes.set(name, { before: known.before, after: after && next(known.before, after), history });
  }

  /** Takes over what a part of the unit has changed. */
  add({ all }: SagaChanges): void {
    for (const { before, after, history = [] } of all) this.save(before, after, history);
  }
}

/** One commit makes one version. */
function next(before: SagaRow | undefined, after: SagaRow): SagaRow {
  return { ...after, version: (before?.version ?? 0) + 1 };
}

/** A saga's name has no such character. */
function nameOf(saga: string, id: string): string {
  return `${saga}\u0000${id}`;
}
