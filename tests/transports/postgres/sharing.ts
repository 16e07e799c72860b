/** Units that are enlisted and commit at once. */
import { assert } from "@std/assert";
import type { TransactionSql } from "postgres";
import type { JoinableStore, Scope, Unit } from "../../../src/spi/store.ts";
import type { Delivery, Enlistment, Outgoing, Transport } from "../../../src/spi/transport.ts";
import type { Duration } from "../../../src/values/duration.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { changes } from "../../conformance/store/trial.ts";
import { type Inbox, text } from "../../conformance/transport/inbox.ts";
import { deaf, onQueues, type Rig } from "./rig.ts";

/** A message that came, and its unit. */
export interface Begun {
  readonly delivery: Delivery;
  readonly unit: Unit<TransactionSql>;
  readonly enlistment: Enlistment;
}

/** A transport given its store, and units of the messages that came. */
export class Sharing {
  readonly rig: Rig;
  readonly store: JoinableStore<TransactionSql>;
  readonly transport: Transport;
  readonly inbox: Inbox;
  units: readonly Begun[] = [];

  constructor(rig: Rig, store: JoinableStore<TransactionSql>, transport: Transport, inbox: Inbox) {
    this.rig = rig;
    this.store = store;
    this.transport = transport;
    this.inbox = inbox;
  }

  /** Begins a unit for each message that is unsettled. */
  async begin(scope: Partial<Scope> = {}): Promise<void> {
    this.units = await Promise.all(this.inbox.unsettled.map(async (delivery) => {
      const unit = await begin(this.store, text(delivery), scope);
      const enlistment = this.transport.enlist?.(unit.tx, this.inbox.receiver);
      if (enlistment === undefined) throw new Error("It joins its store's units");
      return { delivery, unit, enlistment };
    }));
  }

  /** Each sends what it is told to, and accepts its message. */
  async write(of: (text: string, at: number) => readonly Outgoing[] = (each) => [this.out(each)]): Promise<void> {
    for (const [at, { enlistment, delivery }] of this.units.entries()) {
      const batch = of(text(delivery), at);
      if (batch.length > 0) await enlistment.send(batch);
      await enlistment.settle([{ delivery, outcome: "accept" }]);
    }
  }

  out(text: string, some: Partial<Outgoing> = {}): Outgoing {
    return { ...this.rig.outgoing("queue:out", { text }).outgoing, ...some };
  }

  /** Commits all at once; gives what each rejected with. */
  async commit(with_: (at: number) => ReturnType<typeof changes> = () => changes({})): Promise<readonly unknown[]> {
    const outcomes = await Promise.allSettled(this.units.map(({ unit }, at) => unit.commit(with_(at))));
    return outcomes.map((outcome) => outcome.status === "rejected" ? outcome.reason : undefined);
  }

  /** What any other program sees: what is left, what was sent, what is remembered, and in how many commits. */
  async seen(): Promise<Readonly<Record<string, unknown>>> {
    const [row] = await this.rig.select(
      "SELECT (SELECT coalesce(string_agg(convert_from(body, 'UTF8'), ' ' ORDER BY place), '') " +
        `FROM hero_queue_messages WHERE via = 'queue:in') AS "in", ` +
        "(SELECT coalesce(string_agg(convert_from(body, 'UTF8'), ' ' ORDER BY body), '') " +
        "FROM hero_queue_messages WHERE via = 'queue:out') AS out, " +
        "(SELECT coalesce(string_agg(message_id, ' ' ORDER BY message_id), '') FROM hero_inbox) AS inbox",
    );
    return { ...row };
  }
  async commits(): Promise<number> {
    const [row] = await this.rig.select("SELECT count(DISTINCT xmin::text)::int AS n FROM hero_inbox");
    return Number(row?.["n"]);
  }

  /** Locks the inbox from elsewhere, so that commits wait; gives what ends that. */
  async lockInbox(): Promise<AsyncDisposable> {
    const [locked, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holding = this.rig.bench.sql.begin(async (tx) => {
      await tx.unsafe(`LOCK TABLE "${this.rig.bench.schema}".hero_inbox IN EXCLUSIVE MODE`);
      locked.resolve();
      await release.promise;
    });
    await locked.promise;
    return {
      [Symbol.asyncDispose]: async () => {
        release.resolve();
        await holding;
      },
    };
  }
  /** The backends of commits that wait for a lock. */
  async waiting(): Promise<readonly number[]> {
    const { sql, schema } = this.rig.bench;
    const found = await sql.unsafe(
      `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${schema}%'`,
    );
    return found.map(({ pid }) => Number(pid));
  }
}

const { signal } = new AbortController();

/** Begins the unit of a message. */
export function begin(
  store: JoinableStore<TransactionSql>,
  id: string,
  scope: Partial<Scope> = {},
): Promise<Unit<TransactionSql>> {
  const inbox = [{ endpoint: "in", messageId: id, keepUntil: 8e15 }];
  return store.begin({ bus: "orders", partition: id, inbox, signal, ...scope });
}

/** What came. */
export const letters: readonly string[] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/** The same as one text. */
export const all: string = letters.join(" ");
/** The same without some. */
export const but = (...gone: readonly string[]): string => letters.filter((each) => !gone.includes(each)).join(" ");

/** Registers a test with eight messages that came, of one key if there is one. */
export function sharing(
  name: string,
  run: (sharing: Sharing) => Promise<void>,
  key?: string,
  lease: Duration = "10s",
): void {
  onQueues(name, ["in", "out", "more"], async (rig) => {
    const store = await rig.store({ listen: false });
    const transport = await rig.open(postgresTransport(store, { lease, ...deaf }));
    const inbox = await rig.receive(transport, "in", { credit: 20 });
    await rig.send(transport, "queue:in", ...letters.map((text) => key === undefined ? { text } : { text, key }));
    await rig.came(inbox, letters.length);
    const sharing = new Sharing(rig, store, transport, inbox);
    await run(sharing);
  });
}

/** Which of the units were refused, and all with an error of that class. */
export function refused(outcomes: readonly unknown[], by: new (...args: never[]) => Error): string {
  return outcomes.flatMap((outcome, at) => {
    if (outcome === undefined) return [];
    assert(outcome instanceof by, String(outcome));
    return letters[at] ?? "?";
  }).join(" ");
}
