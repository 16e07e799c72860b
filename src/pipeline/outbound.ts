/** Everything that a bus sends, in batches. @module */
import { BackpressureError } from "../errors/sending.ts";
import { toError } from "../errors/thrown.ts";
import { macrotask } from "../runtime/macrotask.ts";
import type { Transport } from "../spi/transport.ts";
import { isPromise } from "../values/awaitable.ts";
import type { OutgoingMessage, SendTarget, SettledListener } from "./outgoing_message.ts";

/** After so many messages in a row, all senders wait for a turn of the event loop. */
const mostInARow = 4096;

/**
 * What a bus sends: one batch for what was sent in one tick. While the transport asks to wait, up to a number of
 * messages wait here.
 */
export class Outbound implements SendTarget, SettledListener {
  readonly holds = false;
  readonly #transport: Transport;
  readonly #limit: number;
  readonly #observer: SettledListener;
  readonly #closedError: () => Error;
  readonly #immediate: boolean;
  readonly #single: OutgoingMessage[] = [];
  #pending: OutgoingMessage[] = [];
  #scheduled = false;
  #waiting = false;
  #unsettled = 0;
  #inARow = 0;
  #turn: Promise<void> | undefined;
  #idle: PromiseWithResolvers<void> | undefined;
  #closed = false;
  readonly #flush = (): void => this.#sendPending();

  /**
   * @param limit how many messages may wait while the transport asks to wait
   * @param observer is told of each message that is settled
   * @param closedError says, after `close`, why nothing is taken
   */
  constructor(transport: Transport, limit: number, observer: SettledListener, closedError: () => Error) {
    this.#transport = transport;
    this.#limit = limit;
    this.#immediate = transport.capabilities.immediate ?? false;
    this.#observer = observer;
    this.#closedError = closedError;
  }

  /** Messages that have been taken and are not settled. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /**
   * Sends the message with all others of this tick.
   *
   * @throws {BackpressureError} if too many wait
   * @throws after `close`
   */
  enqueue(message: OutgoingMessage): void {
    this.#take(message, false);
  }

  /**
   * For what handlers send. Where the transport is within the process they do not wait for room that only handlers can
   * make; it refuses what is beyond all bounds.
   */
  readonly inside: SendTarget = { holds: false, enqueue: (message) => this.#take(message, this.#immediate) };

  /**
   * Who sends in a loop where the transport takes each message at once would go on in microtasks, and keep from their
   * turn what handles the messages, timers and sockets.
   */
  turn(): Promise<void> | undefined {
    if (!this.#immediate) return undefined;
    if (this.#turn === undefined && ++this.#inARow >= mostInARow) this.#turn = this.#nextTurn();
    return this.#turn;
  }
  /** Apart: what captures anything makes room for that at every call. */
  #nextTurn(): Promise<void> {
    this.#inARow = 0;
    return new Promise((resolve) => {
      macrotask(() => {
        this.#turn = undefined;
        resolve();
      });
    });
  }

  #take(message: OutgoingMessage, urgent: boolean): void {
    if (this.#closed) throw this.#closedError();
    if (urgent) {
      message.listener = this;
      this.#unsettled++;
      return this.#send([message]);
    }
    if (this.#waiting && this.#pending.length >= this.#limit) throw new BackpressureError(message.to, this.#limit);
    message.listener = this;
    this.#unsettled++;
    if (this.#immediate && !this.#waiting && this.#pending.length === 0) {
      // Reused: a transport that settles at once has no need to keep it.
      this.#single[0] = message;
      return this.#send(this.#single);
    }
    this.#pending.push(message);
    if (this.#scheduled || this.#waiting) return;
    this.#scheduled = true;
    queueMicrotask(this.#flush);
  }

  #sendPending(): void {
    this.#scheduled = false;
    if (this.#pending.length === 0) return;
    const batch = this.#pending;
    this.#pending = [];
    this.#send(batch);
  }

  #send(batch: readonly OutgoingMessage[]): void {
    let wait: void | Promise<void>;
    try {
      wait = this.#transport.send(batch);
    } catch (thrown) {
      return fail(batch, thrown);
    }
    if (!isPromise(wait)) return;
    const first = !this.#waiting;
    this.#waiting = true;
    const goOn = (): void => {
      if (!first) return;
      this.#waiting = false;
      this.#sendPending();
    };
    wait.then(goOn, (thrown) => {
      fail(batch, thrown);
      goOn();
    });
  }

  settled(message: OutgoingMessage, error: Error | undefined): void {
    message.listener = undefined;
    this.#unsettled--;
    this.#observer.settled(message, error);
    if (this.#unsettled === 0 && this.#idle !== undefined) {
      this.#idle.resolve();
      this.#idle = undefined;
    }
  }

  /** Resolves when nothing is unsettled. */
  drained(): Promise<void> {
    if (this.#unsettled === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  /** Takes nothing more, and fails what still waits here. */
  close(): void {
    this.#closed = true;
    const waiting = this.#pending;
    this.#pending = [];
    for (const message of waiting) message.settled(this.#closedError());
  }
}

/** The transport breaks its promise not to fail. What it has settled by then is settled twice, which is harmless. */
function fail(batch: readonly OutgoingMessage[], thrown: unknown): void {
  for (const message of batch) message.settled(toError(thrown));
}
