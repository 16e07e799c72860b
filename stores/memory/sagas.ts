/** The instances of sagas. @module */
import { ConflictError } from "../../src/errors/store.ts";
import type { HistorySelection, SagaChange, SagaHistoryRow, SagaRow } from "../../src/spi/rows.ts";
import { InstanceTable } from "./instance_table.ts";

/** A row of a history, and where it stands among all. */
interface Kept {
  readonly place: number;
  readonly row: SagaHistoryRow;
}

/** The instances of one bus' sagas, found by id and by index. */
export class Sagas {
  readonly #sagas = new Map<string, InstanceTable>();
  /** Which was asked for last: a unit asks three times. */
  #name = "";
  #table: InstanceTable | undefined;
  /** By saga and index, the ids. */
  readonly #index = new Map<string, Set<string>>();
  /** By saga and id. */
  readonly #history = new Map<string, Kept[]>();
  #lastPlace = 0;

  /** How many there are. */
  get size(): number {
    let size = 0;
    for (const all of this.#sagas.values()) size += all.size;
    return size;
  }

  /** The instances of a saga, where it has had any. */
  #of(saga: string): InstanceTable | undefined {
    if (this.#table === undefined || saga !== this.#name) {
      this.#table = this.#sagas.get(saga);
      this.#name = saga;
    }
    return this.#table;
  }

  /** As `SagaRecords.count`. */
  count(saga: string, state: string | undefined): number {
    const all = this.#sagas.get(saga);
    if (all === undefined || state === undefined) return all?.size ?? 0;
    let count = 0;
    for (const row of all) if (row.state === state) count++;
    return count;
  }

  /** As `SagaRecords.history`. */
  history(
    saga: string,
    id: string,
    after: number | undefined,
    limit: number,
  ): readonly { readonly place: number; readonly row: SagaHistoryRow }[] {
    const all = this.#history.get(instanceName(saga, id)) ?? [];
    const from = after === undefined ? 0 : all.findIndex(({ place }) => place > after);
    return from < 0 ? [] : all.slice(from, from + limit);
  }

  /** As `SagaRecords.forget`. */
  forget(saga: string, which: HistorySelection, limit: number): number {
    let left = limit;
    const isToGo = ({ row }: Kept): boolean =>
      left > 0 && row.saga === saga && ("id" in which ? row.id === which.id : row.at < which.before);
    for (const [name, all] of this.#history) {
      const kept = all.filter((each) => !isToGo(each) || left-- <= 0);
      if (kept.length === all.length) continue;
      if (kept.length === 0) this.#history.delete(name);
      else this.#history.set(name, kept);
    }
    return limit - left;
  }

  /** One, if it is there. */
  load(saga: string, id: string): SagaRow | undefined {
    return this.#of(saga)?.get(id);
  }

  /** As `Unit.find`. */
  find(
    saga: string,
    where: Readonly<Record<string, string>>,
    after: string | undefined,
    limit: number,
  ): readonly SagaRow[] {
    const all = this.#sagas.get(saga);
    if (all === undefined) return [];
    const sets = Object.entries(where).map(([name, value]) => this.#index.get(indexName(saga, name, value)));
    let ids: readonly string[];
    if (sets.length === 0) ids = Array.from(all, ({ id }) => id);
    else {
      const [smallest] = sets.toSorted((a, b) => (a?.size ?? 0) - (b?.size ?? 0));
      ids = [...smallest ?? []].filter((id) => sets.every((set) => set?.has(id)));
    }
    return ids
      .filter((id) => after === undefined || id > after)
      .sort()
      .slice(0, limit)
      .map((id) => all.get(id)!); // each is one of `all`
  }

  /** @throws {ConflictError} if one is not as it was loaded */
  check(changes: readonly SagaChange[]): void {
    for (const { before, after } of changes) {
      const row = before ?? after;
      if (row === undefined) continue;
      const { saga, id } = row;
      const now = this.load(saga, id);
      if (now?.version !== before?.version || now?.incarnation !== before?.incarnation) {
        throw new ConflictError(`saga ${saga} "${id}"`);
      }
    }
  }

  /** Makes it so. */
  apply(changes: readonly SagaChange[]): void {
    for (const { before, after, history } of changes) {
      if (history !== undefined) { for (const row of history) this.#remember(row); }
      if (before !== undefined) {
        for (const name in before.index) this.#removeIndex(before, name, before.index[name]!);
      }
      if (after === undefined) {
        if (before !== undefined) this.#of(before.saga)?.delete(before.id);
        continue;
      }
      let all = this.#of(after.saga);
      if (all === undefined) this.#sagas.set(after.saga, all = new InstanceTable());
      all.set(after);
      for (const name in after.index) {
        const at = indexName(after.saga, name, after.index[name]!);
        const ids = this.#index.get(at);
        if (ids === undefined) this.#index.set(at, new Set([after.id]));
        else ids.add(after.id);
      }
    }
  }

  #remember(row: SagaHistoryRow): void {
    const name = instanceName(row.saga, row.id);
    const known = this.#history.get(name);
    const kept: Kept = { place: ++this.#lastPlace, row };
    if (known === undefined) this.#history.set(name, [kept]);
    else known.push(kept);
  }

  #removeIndex({ saga, id }: SagaRow, name: string, value: string): void {
    const at = indexName(saga, name, value);
    const ids = this.#index.get(at);
    ids?.delete(id);
    if (ids?.size === 0) this.#index.delete(at);
  }
}

/** Unambiguous, whatever the names hold. */
function instanceName(saga: string, id: string): string {
  return `${saga.length}:${saga}${id}`;
}
/** The same. */
function indexName(saga: string, name: string, value: string): string {
  return `${saga.length}:${saga}${name.length}:${name}${value}`;
}
