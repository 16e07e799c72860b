/** What a connection runs over. @module */
import { Socket } from "node:net";
import type { Sql } from "postgres";
import { beginsWithError, type LastWords, lastWordsOf } from "./last_words.ts";

/**
 * The sockets of a client, so that they can be ended without a word: the client says good-bye, and waits for as long as
 * the system takes to find out that nobody hears.
 */
export class Wire {
  readonly #options: object;
  readonly #sockets = new Set<Socket>();
  #error: Uint8Array | undefined;

  constructor({ options }: Pick<Sql, "options">) {
    this.#options = options;
    this.#offer(); // not in the place of an application's own
  }

  /** Why the server has closed it; `undefined`: it has not, has not said so, or over TLS, where it cannot be read. */
  get lastWords(): LastWords | undefined {
    return this.#error && lastWordsOf(this.#error);
  }

  /** Ends it hard. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #offer(): void {
    const { socket } = { socket: undefined, ...this.#options };
    if (socket === undefined) Object.assign(this.#options, { socket: () => this.#open() });
  }

  /** As the client would make one. */
  #open(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("data", (part: Uint8Array) => {
      if (beginsWithError(part)) this.#error = part;
    });
    // A socket that is still given to it when it comes to connect, the client takes for connected.
    Object.assign(this.#options, { socket: undefined });
    for (const over of ["connect", "close"]) socket.once(over, () => this.#offer());
    return socket;
  }
}
