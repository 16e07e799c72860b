/** Messages as web streams. @module */
import { Deque } from "../values/deque.ts";

/** A message that has come and has not been pulled. */
interface Arrival<Out> {
  readonly message: Out;
  readonly pulled: () => void;
}

/** How the source of a stream is opened and closed. */
export interface StreamSource<Out> {
  /** Opens it; `handle` is called with each message, and resolves when the message has been pulled. */
  open(handle: (message: Out) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** How many messages may have come without being pulled. */
export const streamCredit = 16;

/** A stream of messages; each is accepted when it is pulled. */
export function messageStream<Out>(source: StreamSource<Out>, signal: AbortSignal | undefined): ReadableStream<Out> {
  const arrived = new Deque<Arrival<Out>>();
  let wake: (() => void) | undefined;
  let ended = false;
  let stop = (): void => {};
  const close = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    stop();
    wake?.();
    await source.close();
  };
  return new ReadableStream<Out>({
    async start(controller) {
      signal?.throwIfAborted();
      const abort = (): void => {
        controller.error(signal?.reason);
        close().catch(() => {});
      };
      signal?.addEventListener("abort", abort, { once: true });
      stop = () => signal?.removeEventListener("abort", abort);
      try {
        await source.open((message) =>
          new Promise<void>((pulled) => {
            arrived.pushBack({ message, pulled });
            wake?.();
          })
        );
      } catch (error) {
        stop();
        throw error;
      }
    },
    async pull(controller) {
      while (arrived.size === 0 && !ended) {
        await new Promise<void>((resolve) => wake = resolve);
        wake = undefined;
      }
      const next = ended ? undefined : arrived.popFront();
      if (next === undefined) return;
      controller.enqueue(next.message);
      next.pulled();
    },
    cancel: close,
  }, { highWaterMark: 0 });
}
