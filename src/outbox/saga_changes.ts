/** What a unit of work changes of sagas' instances. @module */
import type { SagaChange, SagaHistoryRow, SagaRow } from "../spi/rows.ts";
import { none } from "../values/none.ts";

/** Each instance once, from what the store has to what the unit leaves, however often it was changed meanwhile. */
export class SagaChanges {
  /** Made with the first: an array that is pushed to has room for many. */
  #changes: SagaChange[] | undefined;
  /** Their places; made with the second, as most units change one. */
  #places: Map<string, number> | undefined;

  /** What the commit writes. */
  get all(): readonly SagaChange[] {
    return this.#changes ?? none;
  }

  /** What the unit has made of an instance; `undefined`: it has not touched it. */
  of(saga: string, id: string): SagaChange | undefined {
    const place = this.#placeOf(saga, id);
    return place === undefined ? undefined : this.all[place];
  }

  #placeOf(saga: string, id: string): number | undefined {
    const changes = this.all;
    const first = changes[0];
    if (first === undefined) return undefined;
    if (changes.length > 1) {
      this.#places ??= new Map(changes.map((change, at) => [nameOf(identityOf(change)), at]));
      return this.#places.get(nameOf({ saga, id }));
    }
    const only = identityOf(first);
    return only.id === id && only.saga === saga ? 0 : undefined;
  }

  /**
   * @param before as it was loaded, by this unit or from the store
   * @param happened to be kept
   */
  save(before: SagaRow | undefined, after: SagaRow | undefined, happened: readonly SagaHistoryRow[]): void {
    const change: SagaChange = { before, after, history: happened };
    if (this.#changes === undefined) {
      this.#changes = [change];
      return;
    }
    const { saga, id } = identityOf(change);
    const place = this.#placeOf(saga, id);
    if (place === undefined) {
      this.#places?.set(nameOf({ saga, id }), this.#changes.length);
      this.#changes.push(change);
      return;
    }
    const known = this.#changes[place]!; // it is there
    const history = [...known.history ?? [], ...happened];
    if (known.before === undefined && after === undefined && history.length === 0) {
      // Made and gone in one unit, and nothing is kept: the store never hears of it.
      this.#changes.splice(place, 1);
      this.#places = undefined;
    } else this.#changes[place] = { before: known.before, after: after && next(known.before, after), history };
  }

  /** Takes over what a part of the unit has changed. */
  add({ all }: SagaChanges): void {
    for (const { before, after, history = [] } of all) this.save(before, after, history);
  }
}

/** One commit makes one version. */
function next(before: SagaRow | undefined, after: SagaRow): SagaRow {
  const { saga, id, incarnation, schema, state, data, types, index } = after;
  return { saga, id, incarnation, version: (before?.version ?? 0) + 1, schema, state, data, types, index };
}

interface Identity {
  readonly saga: string;
  readonly id: string;
}

function identityOf({ before, after, history }: SagaChange): Identity {
  return (before ?? after ?? history?.[0])!; // one of them is given
}

/** A saga's name has no such character. */
function nameOf({ saga, id }: Identity): string {
  return `${saga}\u0000${id}`;
}
