/** A wire that does, at places of a seed, all that wires do to those who rely on them. */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Random } from "../../../src/values/random.ts";

/**
 * What becomes of a connection at its place. `cut`: both ends see it break. `stall`: nothing passes any more, and
 * neither end is told. `swallow`: the same in one direction. `lose`: some bytes are missing, and it breaks a moment
 * later. `delay`: each piece comes later, by another time. `crumble`: a byte at a time, for a while.
 */
const harms = ["cut", "stall", "swallow", "lose", "delay", "crumble"] as const;
/** One of those. */
export type Harm = typeof harms[number];

/** Within so many bytes something happens to a connection. */
const mostBytes = 60_000;
const lostForInMs = 200;
const mostDelayInMs = 50;
const crumbled = 2_000;

/** A proxy whose connections come to harm, until it has done enough of it. */
export class RoughWire {
  readonly #target: number;
  readonly #random: Random;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #left: number;
  /** What has been done. */
  readonly done: Harm[] = [];

  private constructor(target: number, random: Random, most: number) {
    this.#target = target;
    this.#random = random;
    this.#left = most;
    this.#server = createServer((client) => this.#connect(client));
  }

  /** Listens on a port that is free; so many of its connections come to harm. */
  static async to(target: number, random: Random, most: number): Promise<RoughWire> {
    const wire = new RoughWire(target, random, most);
    await new Promise<void>((resolve, reject) => {
      wire.#server.once("error", reject);
      wire.#server.listen(0, "127.0.0.1", resolve);
    });
    return wire;
  }

  /** Where it listens. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("The wire is not laid");
    return address.port;
  }

  /** Ends it, and all that goes through it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await ended;
  }

  #connect(client: Socket): void {
    const server = connect({ port: this.#target, host: "127.0.0.1" });
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on("error", () => {});
    }
    const end = (): void => {
      for (const socket of [client, server]) {
        socket.destroy();
        this.#sockets.delete(socket);
      }
    };
    client.on("close", end);
    server.on("close", end);
    const harm = this.#left > 0 ? this.#choose() : undefined;
    const way = this.#random() < 0.5;
    const both = harm === "stall" || harm === "delay" || harm === "crumble";
    // As likely within the first hundred bytes as within the last ten thousands: opening is a long talk in few bytes.
    const place = Math.floor(mostBytes ** this.#random());
    const harmed = (): void => {
      if (harm !== undefined) this.done.push(harm);
    };
    this.#pass(client, server, both || way ? harm : undefined, place, harmed, end);
    this.#pass(server, client, both || !way ? harm : undefined, place, harmed, end);
  }

  #choose(): Harm | undefined {
    if (this.#random() < 0.2) return undefined;
    this.#left--;
    return harms[Math.floor(this.#random() * harms.length)];
  }

  #pass(from: Socket, to: Socket, harm: Harm | undefined, place: number, harmed: () => void, end: () => void): void {
    let passed = 0;
    let crumbs = crumbled;
    let last: Promise<void> = Promise.resolve();
    let done = false;
    from.on("data", (chunk) => {
      const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : new Uint8Array(chunk);
      const before = Math.max(0, Math.min(bytes.byteLength, place - passed));
      passed += bytes.byteLength;
      if (harm === undefined || passed <= place) return void to.write(bytes);
      if (!done) harmed();
      if (before > 0) to.write(bytes.subarray(0, before));
      const rest = bytes.subarray(before);
      switch (harm) {
        case "cut":
          end();
          break;
        case "stall":
          from.pause();
          break;
        case "swallow":
          break;
        case "lose":
          if (!done) setTimeout(end, lostForInMs);
          // The first bytes of what comes are gone; the rest follows as if nothing had been there.
          to.write(done ? rest : rest.subarray(Math.min(rest.byteLength, 1 + Math.floor(this.#random() * 100))));
          break;
        case "delay": {
          const wait = this.#random() * mostDelayInMs;
          last = last.then(() => new Promise((resolve) => setTimeout(resolve, wait))).then(() => void to.write(rest));
          break;
        }
        case "crumble": {
          const alone = Math.min(crumbs, rest.byteLength);
          crumbs -= alone;
          for (let at = 0; at < alone; at++) to.write(rest.subarray(at, at + 1));
          if (alone < rest.byteLength) to.write(rest.subarray(alone));
          break;
        }
        default:
          harm satisfies never;
      }
      done = true;
    });
  }
}
