/** A broker that outlives the processes on it: the transport in memory, with its messages in a file. */
import { DatabaseSync } from "node:sqlite";
import { type FrameHeaders, withHeaders } from "../../../src/spi/frame.ts";
import { DisconnectedError } from "../../../mod.ts";
import type {
  Address,
  Admin,
  Capabilities,
  Change,
  DeployMode,
  Host,
  Outgoing,
  Receiver,
  Settlement,
  Sink,
  Source,
  Topology,
  Transport,
} from "../../../src/spi/transport.ts";
import { memory } from "../../../transports/memory/mod.ts";
import type { Killer } from "./killer.ts";

/** By which a delivery finds its row. */
const rowHeader = "lasting-row";

/** A message as the file has it. */
type Message = Pick<Outgoing, "frame" | "messageId" | "to" | "key" | "priority" | "mandatory">;

/** A message that a sender was told the broker has, or would have been. */
export interface Sent {
  readonly messageId: string;
  /** The queue or topic. */
  readonly to: string;
  readonly body: string;
}

/** The file: written at once, so that whoever is killed has told all that it has done. */
export class BrokerFile {
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 5_000 });
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = OFF;
      CREATE TABLE IF NOT EXISTS waiting (id INTEGER PRIMARY KEY AUTOINCREMENT, message TEXT NOT NULL, body BLOB NOT NULL);
      CREATE TABLE IF NOT EXISTS sent (message_id TEXT NOT NULL, destination TEXT NOT NULL, body BLOB NOT NULL);
      CREATE TABLE IF NOT EXISTS given_up (message_id TEXT NOT NULL, why TEXT);
      CREATE TABLE IF NOT EXISTS inputs (input INTEGER PRIMARY KEY, fed INTEGER NOT NULL DEFAULT 0);
    `);
  }

  /** What is to be sent by whoever runs. */
  addInputs(from: number, count: number): void {
    const add = this.#database.prepare("INSERT INTO inputs (input) VALUES (?)");
    for (let input = from; input < from + count; input++) add.run(input);
  }
  /** What the broker does not have for sure. */
  unfed(): readonly number[] {
    return this.#database.prepare("SELECT input FROM inputs WHERE fed = 0 ORDER BY input").all()
      .map(({ input }) => Number(input));
  }
  /** The broker has it. */
  fed(input: number): void {
    this.#database.prepare("UPDATE inputs SET fed = 1 WHERE input = ?").run(input);
  }

  /** Keeps a message; gives its row. */
  keep({ frame, messageId, to, key, priority, mandatory }: Message): number {
    const { contentType, headers, body } = frame;
    for (const [name, value] of Object.entries(headers)) {
      if (typeof value !== "string") throw new TypeError(`This broker keeps headers of text alone, and not "${name}"`);
    }
    const message = JSON.stringify({ contentType, headers, messageId, to, key, priority, mandatory });
    this.#database.prepare("INSERT INTO sent VALUES (?, ?, ?)").run(messageId, to, body);
    const { lastInsertRowid } = this.#database.prepare("INSERT INTO waiting (message, body) VALUES (?, ?)")
      .run(message, body);
    return Number(lastInsertRowid);
  }
  /** Forgets what was accepted. */
  forget(row: number): void {
    this.#database.prepare("DELETE FROM waiting WHERE id = ?").run(row);
  }
  /** What has gone to an error queue. */
  giveUp(messageId: string, why: string): void {
    this.#database.prepare("INSERT INTO given_up VALUES (?, ?)").run(messageId, why);
  }
  /** What nobody has accepted yet. */
  waiting(): readonly { readonly row: number; readonly outgoing: Message }[] {
    return this.#database.prepare("SELECT id, message, body FROM waiting ORDER BY id").all().map((found) => {
      const { contentType, headers, ...rest } = JSON.parse(String(found["message"]));
      const body = new Uint8Array(found["body"] as Uint8Array);
      return { row: Number(found["id"]), outgoing: { ...rest, frame: { contentType, headers, body } } };
    });
  }
  /** How many nobody has accepted yet. */
  get left(): number {
    return Number(this.#database.prepare("SELECT count(*) AS n FROM waiting").get()?.["n"]);
  }
  /** All that it ever got, in order, also twice. */
  sent(): readonly Sent[] {
    return this.#database.prepare("SELECT message_id, destination, CAST(body AS TEXT) AS body FROM sent ORDER BY rowid")
      .all()
      .map((found) => ({
        messageId: String(found["message_id"]),
        to: String(found["destination"]),
        body: String(found["body"]),
      }));
  }
  /** What has gone to error queues. */
  givenUp(): readonly string[] {
    return this.#database.prepare("SELECT message_id, why FROM given_up").all()
      .map(({ message_id: id, why }) => `${id}: ${why}`);
  }

  close(): void {
    this.#database.close();
  }
}

/** One process' end of the broker. At least once, as brokers are: what was not accepted comes to the next process. */
export class LastingTransport implements Transport {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly admin: Admin;
  readonly #inner = memory();
  readonly #file: BrokerFile;
  readonly #killer: Killer;
  readonly #refuses: Address | undefined;
  readonly #refused = new Set<string>();
  #left: ReturnType<BrokerFile["waiting"]> = [];

  /** @param refuses where it takes each message at the second try, as a broker that comes and goes */
  constructor(file: BrokerFile, killer: Killer, refuses?: Address) {
    this.#file = file;
    this.#killer = killer;
    this.#refuses = refuses;
    this.name = this.#inner.name;
    this.capabilities = { ...this.#inner.capabilities, immediate: false };
    this.admin = this.#inner.admin!; // a broker in memory has one
  }

  async open(host: Host): Promise<void> {
    await this.#inner.open(host);
    this.#left = this.#file.waiting();
  }
  deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    return this.#inner.deploy(topology, mode);
  }

  /** Delivers what processes before this one have left, once queues are there. */
  restore(): void {
    for (const { row, outgoing } of this.#left) this.#deliver(row, outgoing, () => {});
  }

  send(batch: readonly Outgoing[]): void | Promise<void> {
    const waits: Promise<void>[] = [];
    for (const outgoing of batch) {
      this.#killer.cross("send");
      if (outgoing.to === this.#refuses && this.#refused.size < this.#refused.add(outgoing.messageId).size) {
        outgoing.settled(new DisconnectedError(this.name, "send"));
        continue;
      }
      const row = this.#file.keep(outgoing);
      this.#killer.cross("sent");
      const settled = (error?: Error, receipt?: string): void => {
        this.#killer.cross("confirm");
        if (error !== undefined) this.#file.forget(row);
        outgoing.settled(error, receipt);
        this.#killer.cross("confirmed");
      };
      const waiting = this.#deliver(row, outgoing, settled);
      if (waiting !== undefined) waits.push(waiting);
    }
    return waits.length === 0 ? undefined : Promise.all(waits).then(() => {});
  }

  #deliver(row: number, { frame, messageId, to, key, priority, mandatory }: Message, settled: Outgoing["settled"]) {
    const headers: FrameHeaders = { ...frame.headers, [rowHeader]: String(row) };
    const tagged = withHeaders(frame, headers);
    return this.#inner.send([{ frame: tagged, messageId, to, alsoTo: [], key, priority, mandatory, settled }]);
  }

  async receive(source: Source, sink: Sink): Promise<Receiver> {
    const receiver = await this.#inner.receive(source, sink);
    return {
      get address() {
        return receiver.address;
      },
      settle: async (batch) => {
        this.#killer.cross("acknowledge");
        for (const settlement of batch) this.#settle(settlement);
        await receiver.settle(batch);
        this.#killer.cross("acknowledged");
      },
      credit: (total) => receiver.credit(total),
      stop: () => receiver.stop(),
    };
  }

  #settle(settlement: Settlement): void {
    const { delivery: { frame: { headers } }, outcome } = settlement;
    if (outcome === "release" || outcome === "again") return; // it stays, and comes to the next process as well
    this.#file.forget(Number(headers[rowHeader]));
    if (outcome === "move") {
      this.#file.giveUp(String(headers["hero-id"]), `${settlement.to} ${settlement.headers["hero-error-message"]}`);
    }
  }

  close(deadline: number): Promise<void> {
    return this.#inner.close(deadline);
  }
}
