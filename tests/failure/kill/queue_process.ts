/**
 * A process that takes from the queue "in" of a database: `queue_process.ts <doing> <address> <ledger> <name> <point> <nth>`.
 * Into the ledger it appends a line for each thing that it does. Named a point, it kills itself there with its nth
 * message.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";
import { DuplicateError } from "../../../src/errors/store.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";
import type { Delivery, Outgoing, Receiver, Sink, Transport } from "../../../src/spi/transport.ts";
import { queueDatabase } from "./queue_database.ts";

const [doing = "", address = "", ledger = "", name = "", point = "", nth = "0"] = process.argv.slice(2);
const database = await queueDatabase(address);
const { signal } = new AbortController();
const host = { bus: "orders", clock: systemClock, signal, status: () => {} };
const decoder = new TextDecoder();
let count = 0;

function note(...words: readonly unknown[]): void {
  appendFileSync(ledger, `${words.join(" ")}\n`);
}

/** The end of the process, if this is where it is to end. */
function reached(at: string, number: number): void {
  if (at === point && number === Number(nth)) process.kill(process.pid, "SIGKILL");
}

/** Opens the queue; calls `take` for each message that comes. */
async function open(
  transport: Transport,
  options: { readonly credit: number; readonly ordered: boolean },
  take: (delivery: Delivery, receiver: Receiver) => void,
  lost: (delivery: Delivery) => void = () => {},
): Promise<void> {
  await transport.open(host);
  let receiver: Receiver | undefined;
  const early: Delivery[] = [];
  const sink: Sink = {
    deliver: (batch) => {
      for (const delivery of batch) receiver === undefined ? early.push(delivery) : take(delivery, receiver);
    },
    lost: (deliveries) => deliveries.forEach(lost),
    readdressed: () => {},
  };
  const source = { queue: "in", topics: [], lifetime: "durable", holdMs: 600_000, extensions: [] } as const;
  const opened = receiver = await transport.receive({ ...source, ...options }, sink);
  for (const delivery of early) take(delivery, opened);
  note("ready", name);
}

/** Notes when each message begins and ends, and accepts it a turn later. */
async function order(): Promise<void> {
  const transport = database.transport({ pollInterval: "1h" });
  await open(transport, { credit: 5, ordered: true }, (delivery, receiver) => {
    const text = decoder.decode(delivery.frame.body);
    note("begin", delivery.key, text, name);
    setTimeout(() => {
      note("end", delivery.key, text, name);
      void receiver.settle([{ delivery, outcome: "accept" }]);
    }, 0);
  });
}

/** Takes and never settles. */
async function hold(): Promise<void> {
  const transport = database.transport({ lease: "1s" });
  await open(transport, { credit: 1, ordered: false }, ({ deliveryCount }) => note("took", deliveryCount, name));
}

/** Handles each message with an effect, an answer and its settlement in one transaction. */
async function effects(stall: boolean): Promise<void> {
  const { store, transport } = await database.together(host, { lease: "1s" });
  const outgoing = (text: string): Outgoing => ({
    frame: { contentType: "text/plain", headers: {}, body: new TextEncoder().encode(text) },
    messageId: `answer ${text}`,
    to: "queue:out",
    alsoTo: [],
    mandatory: true,
    settled: (error) => error && note("unsent", text, error.message),
  });
  const handle = async (delivery: Delivery, receiver: Receiver): Promise<void> => {
    const text = decoder.decode(delivery.frame.body);
    const number = ++count;
    reached("taken", number);
    const inbox = [{ endpoint: "in", messageId: text, keepUntil: 8e15 }];
    const unit = await store.begin({ bus: "orders", partition: text, inbox, signal });
    if (unit.duplicates[0] === true) note("twice", text);
    await database.write(unit, text, name);
    reached("written", number);
    if (stall) {
      await unit.rollback(); // it held the only writer: what stalls is to have none
      note("stalls", name);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000);
      return await late(delivery, receiver, text);
    }
    const enlistment = transport.enlist?.(unit.tx, receiver);
    await enlistment?.send([outgoing(text)]);
    await enlistment?.settle([{ delivery, outcome: "accept" }]);
    reached("settled", number);
    await unit.commit({ sagas: [], outbox: [], schedules: [] });
    reached("committed", number);
    note("done", text, name);
  };
  /** What a handler does that did not notice that time has passed. */
  const late = async (delivery: Delivery, receiver: Receiver, text: string): Promise<void> => {
    const unit = await store.begin({ bus: "orders", partition: text, inbox: [], signal });
    await database.write(unit, text, name);
    try {
      const enlistment = transport.enlist?.(unit.tx, receiver);
      await enlistment?.settle([{ delivery, outcome: "accept" }]);
      await unit.commit({ sagas: [], outbox: [], schedules: [] });
      note("committed late", text, name);
    } catch (error) {
      await unit.rollback();
      note("refused", error instanceof Error ? error.name : error, name);
    }
  };
  await open(transport, { credit: stall ? 1 : 4, ordered: false }, (delivery, receiver) => {
    handle(delivery, receiver).catch((error) => {
      if (!(error instanceof DuplicateError)) note("failed", String(error));
      void receiver.settle([{ delivery, outcome: "accept" }]);
    });
  }, () => note("lost", name));
}

if (doing === "order") await order();
else if (doing === "hold") await hold();
else await effects(doing === "stall");
