/** Messages that the store could not get sent. @module */
import type { Storage } from "../outbox/storage.ts";
import { applicationHeaders, headerText, names } from "../envelope/headers.ts";
import { parseMessageType } from "../envelope/message_type.ts";
import type { OutboxRow } from "../spi/rows.ts";
import type { Due, Parked } from "../spi/store.ts";
import { abortable, checkSignal } from "../values/abortable.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import type { ParkedMessage, ParkedMessages } from "./control.ts";
import { noSelection } from "./error_queue.ts";

const rowsAtOnce = 100;
const listOptionNames: OptionNames<{ readonly signal?: AbortSignal }> = { signal: true };

interface Place {
  readonly due: Pick<Due<OutboxRow>, "parked" | "unpark" | "discard">;
  readonly bus: string;
  readonly of: ParkedMessage["of"];
}

/** What a bus' store has parked, of its outbox and its schedules. */
export class StoreParkedMessages implements ParkedMessages {
  readonly #storage: Storage | undefined;
  readonly #reach: () => Promise<void>;

  /** @param reach connects, where the bus was not started */
  constructor(storage: Storage | undefined, reach: () => Promise<void>) {
    this.#storage = storage;
    this.#reach = reach;
  }

  async *list(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<ParkedMessage> {
    checkOptionNames(options, listOptionNames, "list() of what is parked");
    const { signal } = options;
    checkSignal(signal, "list() of what is parked");
    signal?.throwIfAborted();
    for (const { due, bus, of } of await (signal === undefined ? this.#all() : abortable(this.#all(), signal))) {
      let after: string | undefined;
      for (;;) {
        signal?.throwIfAborted();
        const rows = await due.parked(bus, after, rowsAtOnce);
        for (const row of rows) yield shown(row, of);
        after = rows.at(-1)?.row.id;
        if (rows.length < rowsAtOnce) break;
      }
    }
  }

  release(which: "all" | readonly string[]): Promise<number> {
    return this.#each(which, ({ due, bus }, ids) => due.unpark(bus, ids));
  }

  discard(which: "all" | readonly string[]): Promise<number> {
    return this.#each(which, ({ due, bus }, ids) => due.discard(bus, ids));
  }

  /** Does `work` with those of each table; gives how many there were. */
  async #each(
    which: "all" | readonly string[],
    work: (place: Place, ids: readonly string[]) => Promise<number>,
  ): Promise<number> {
    let ids = which;
    if (ids === "all") {
      const all: string[] = [];
      for await (const { messageId } of this.list()) all.push(messageId);
      ids = all;
    }
    const other = Array.isArray(ids) ? ids.find((id: unknown) => typeof id !== "string") : undefined;
    if (!Array.isArray(ids) || other !== undefined) throw noSelection(ids, "what is parked");
    if (ids.length === 0) return 0;
    let count = 0;
    for (const place of await this.#all()) count += await work(place, ids);
    this.#storage?.look();
    return count;
  }

  async #all(): Promise<readonly Place[]> {
    const storage = this.#storage;
    if (storage === undefined) return [];
    await this.#reach();
    const { bus, store: { outbox, schedules } } = storage;
    return [{ due: outbox, bus, of: "outbox" }, { due: schedules, bus, of: "schedules" }];
  }
}

function shown({ row, attempts, error }: Parked<OutboxRow>, of: ParkedMessage["of"]): ParkedMessage {
  const { frame: { headers, contentType, body } } = row;
  const [contract] = parseMessageType(headerText(headers[names.type]) ?? "");
  return {
    of,
    messageId: row.id,
    contract,
    to: row.to,
    attempts,
    error,
    headers: applicationHeaders(headers),
    contentType,
    body: new Uint8Array(body), // who looks at it changes nothing in the store
  };
}
