/** A wire between a client and a server that a test can cut. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { Transform } from "node:stream";
import { setImmediate } from "node:timers";

/** One connection through it. */
interface Wire {
  readonly client: Socket;
  readonly server: Socket;
}

/** Sees what a server sends, and may send something to it; true: its client shall not get it; bytes: those instead. */
export type Sieve = (chunk: Uint8Array, toServer: (bytes: Uint8Array) => void) => boolean | Uint8Array;

/** Passes on to a port of this machine what comes to its own. */
export class TcpProxy {
  readonly #target: number;
  readonly #server: Server;
  readonly #wires = new Set<Wire>();
  #refusing = false;
  #taken = 0;
  #drops: Sieve = () => false;
  #piece = Infinity;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#connect(client));
  }

  /** Listens on a port that is free. */
  static async to(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  /** Where it listens. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("The proxy does not listen");
    return address.port;
  }

  /** How many connections go through it. */
  get connections(): number {
    return this.#wires.size;
  }

  /** How many connections it has taken so far. */
  get taken(): number {
    return this.#taken;
  }

  /** Breaks all connections; new ones are taken. Resolves when both ends are gone. */
  async cut(): Promise<void> {
    const ends = [...this.#wires].flatMap(({ client, server }) => [closed(client), closed(server)]);
    await Promise.all(ends);
  }

  /** Lets nothing through any more on what is connected now, and tells neither end: a half-open socket. */
  stall(): void {
    for (const { client, server } of this.#wires) {
      client.unpipe(server);
      server.unpipe();
      client.pause();
      server.pause();
    }
  }

  /**
   * Swallows, from now on, of what the server sends the pieces of which this holds, or hands on what it gives instead;
   * it may say something itself.
   */
  drop(these: Sieve): void {
    this.#drops = these;
  }

  /** Hands on, from now on, what the server sends in pieces of so many bytes. */
  chop(sizeInBytes: number): void {
    this.#piece = sizeInBytes;
  }

  /** Breaks all connections, and takes no new ones. */
  async refuse(): Promise<void> {
    this.#refusing = true;
    await this.cut();
  }

  /** Ends it, and all that goes through it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#server.close(resolve));
    await this.cut();
    await ended;
  }

  #connect(client: Socket): void {
    this.#taken++;
    if (this.#refusing) {
      client.on("error", () => {});
      client.destroy();
      return;
    }
    const server = connect({ port: this.#target, host: "127.0.0.1" });
    client.setNoDelay(true);
    server.setNoDelay(true);
    const wire: Wire = { client, server };
    this.#wires.add(wire);
    const end = (other: Socket) => () => {
      other.destroy();
      if (client.destroyed && server.destroyed) this.#wires.delete(wire);
    };
    client.on("error", () => {});
    server.on("error", () => {});
    client.on("close", end(server));
    server.on("close", end(client));
    client.pipe(server, { end: false });
    const drops = (chunk: Uint8Array): ReturnType<Sieve> => this.#drops(chunk, (bytes) => server.write(bytes));
    const piece = (): number => this.#piece;
    const sieve = new Transform({
      transform(whole: Uint8Array, _encoding, done) {
        const sieved = drops(whole);
        if (sieved === true) return done();
        const chunk = sieved === false ? whole : sieved;
        if (piece() >= chunk.byteLength) return done(null, chunk);
        // Each on a turn of its own, else the socket would put them together again.
        const next = (at: number): void => {
          if (at >= chunk.byteLength) return done();
          this.push(chunk.subarray(at, at + piece()));
          setImmediate(next, at + piece());
        };
        next(0);
      },
    });
    server.pipe(sieve, { end: false }).pipe(client, { end: false });
  }
}

function closed(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    socket.destroy();
  });
}
