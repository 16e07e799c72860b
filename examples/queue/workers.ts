/** The worker processes: started, and killed. */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A process of its own. */
export class Worker {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<string>;
  #killed = false;

  private constructor(path: string, name: string) {
    this.name = name;
    const program = fileURLToPath(new URL("worker.ts", import.meta.url));
    const flags = "Deno" in globalThis ? ["run", "-A"] : process.execArgv;
    this.#child = spawn(process.execPath, [...flags, program, path, name], { stdio: ["pipe", "pipe", "inherit"] });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("exit", (status, signal) => resolve(signal ?? `status ${status}`));
    });
  }

  /** Starts one, and waits until it takes jobs. */
  static async open(path: string, name: string): Promise<Worker> {
    const worker = new Worker(path, name);
    const open = new Promise<undefined>((resolve) => worker.#child.stdout?.once("data", () => resolve(undefined)));
    const ended = await Promise.race([open, worker.#ended]);
    if (ended !== undefined) throw new Error(`${name} has ended with ${ended} before it was open`);
    worker.#child.stdout?.resume();
    return worker;
  }

  /** Whether it was killed. */
  get killed(): boolean {
    return this.#killed;
  }

  /** `kill -9`: it can do nothing about it. */
  async kill(): Promise<void> {
    this.#killed = true;
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** Lets it do what it has in hand, and waits for its end. */
  async close(): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
  }
}
