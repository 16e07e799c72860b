/** Messages as web streams. @module */
import { Deque } from "../values/deque.ts";

/** A message that has come and has not been pulled. */
interface Arrival<Out> {
  readonly message: Out;
  readonly pulled: () => void;
  /** It has gone back: whoever has it next handles it. */
  gone: boolean;
}

/** How the source of a stream is opened and closed. */
export interface StreamSource<Out> {
  /**
   * Opens it; rejects when `signal` aborts. `handle` is called with each message, and resolves when the message has been
   * pulled; it rejects when its own signal aborts, and the message then goes back.
   */
  open(handle: (message: Out, signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
  /** Called once it has been opened. */
  close(): Promise<void>;
}

/** What ends a stream from without. */
export interface StreamEnds {
  /** The reader's own: its reason is the stream's error. */
  readonly signal: AbortSignal | undefined;
  /** The bus stops: the stream is at its end. */
  readonly stopping: AbortSignal;
}

/** How many messages may have come without being pulled. */
export const streamCredit = 16;

/** Messages as they come. */
export interface MessageStream<out Out> extends ReadableStream<Out> {
  /**
   * Resolves when its queue is open: what is published from then on comes. Rejects with why it could not be opened, or
   * with a `StoppedError` where the bus is stopped first.
   *
   * It waits for the bus' `start()`, which opens all streams that were asked for before it. Code that would call `start()`
   * only behind `await stream.opened` waits for ever: start first.
   */
  readonly opened: Promise<void>;
}

/** A stream of messages; each is accepted when it is pulled. */
export function messageStream<Out>(source: StreamSource<Out>, { signal, stopping }: StreamEnds): MessageStream<Out> {
  const open = Promise.withResolvers<void>();
  // Its reader is told as well; who does not look here must not be ended by it.
  open.promise.catch(() => {});
  const arrived = new Deque<Arrival<Out>>();
  const ended = new AbortController();
  let wake: (() => void) | undefined;
  let opened = false;
  let forget = (): void => {};

  const end = async (reason: unknown): Promise<void> => {
    if (ended.signal.aborted) return;
    ended.abort(reason);
    forget();
    wake?.();
    // While it is being opened, whoever opens it sees that it has ended.
    if (opened) await source.close();
  };

  const handle = (message: Out, lost: AbortSignal): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      const lose = (): void => {
        arrival.gone = true;
        reject(lost.reason);
      };
      const pulled = (): void => {
        lost.removeEventListener("abort", lose);
        resolve();
      };
      const arrival: Arrival<Out> = { message, pulled, gone: false };
      lost.addEventListener("abort", lose, { once: true });
      arrived.pushBack(arrival);
      wake?.();
    });

  const next = (): Arrival<Out> | undefined => {
    if (ended.signal.aborted) return undefined;
    let arrival = arrived.popFront();
    while (arrival?.gone) arrival = arrived.popFront();
    return arrival;
  };

  const stream = new ReadableStream<Out>({
    async start(controller) {
      if (signal?.aborted) {
        open.reject(signal.reason);
        throw signal.reason;
      }
      const abort = (): void => {
        controller.error(signal?.reason);
        end(signal?.reason).catch(() => {});
      };
      const stop = (): void => {
        // Else whoever opens it learns of it, and why: a start that failed is no end.
        if (!opened) return;
        controller.close();
        end(stopping.reason).catch(() => {});
      };
      forget = () => {
        signal?.removeEventListener("abort", abort);
        stopping.removeEventListener("abort", stop);
      };
      signal?.addEventListener("abort", abort, { once: true });
      stopping.addEventListener("abort", stop, { once: true });
      try {
        await source.open(handle, ended.signal);
        opened = true;
        open.resolve();
      } catch (error) {
        forget();
        open.reject(error);
        throw error;
      }
      if (ended.signal.aborted) await source.close();
      else if (stopping.aborted) stop();
    },
    async pull(controller) {
      let arrival = next();
      while (arrival === undefined && !ended.signal.aborted) {
        await new Promise<void>((resolve) => wake = resolve);
        wake = undefined;
        arrival = next();
      }
      if (arrival === undefined) return;
      controller.enqueue(arrival.message);
      arrival.pulled();
    },
    cancel: end,
  }, { highWaterMark: 0 });
  return Object.assign(stream, { opened: open.promise });
}
