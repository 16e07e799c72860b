/** A transport that does what a test says: it fails, waits and refuses on purpose, and writes down what it was asked. */
import type {
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

/** What each method does instead of succeeding at once. */
export interface Script {
  open?: (host: Host) => Promise<void>;
  deploy?: (topology: Topology, mode: DeployMode) => Promise<readonly Change[]>;
  /** What becomes of a batch; each must be settled by it. Left out: all are taken. */
  send?: (batch: readonly Outgoing[]) => void | Promise<void>;
  receive?: (source: Source, sink: Sink) => Promise<void>;
  stop?: (source: Source) => Promise<void>;
  close?: (deadline: number) => Promise<void>;
  cancel?: (receipt: string) => Promise<boolean>;
}

/** An open source of a {@linkcode ScriptedTransport}. */
export interface OpenSource {
  readonly source: Source;
  readonly sink: Sink;
  readonly settled: Settlement[];
  stopped: boolean;
}

/** See above. */
export class ScriptedTransport implements Transport {
  readonly name: string = "scripted";
  readonly capabilities: Capabilities;
  /** What it was asked, in order: `open`, `deploy apply`, `receive orders`, `stop orders`, `send 3`, `close`. */
  readonly asked: string[] = [];
  readonly sent: Outgoing[] = [];
  readonly sources: OpenSource[] = [];
  readonly cancel?: (receipt: string) => Promise<boolean>;
  host: Host | undefined;
  readonly #script: Script;

  constructor(script: Script = {}, capabilities: Partial<Capabilities> = {}) {
    this.#script = script;
    this.capabilities = {
      claim: "connection",
      order: "key",
      delay: { maxMs: 1000, cancel: false },
      expiry: false,
      mandatory: true,
      hierarchy: true,
      priorities: 10,
      maxFrameBytes: 1 << 20,
      maxHeaderBytes: 1 << 20,
      ...capabilities,
    };
    if (script.cancel !== undefined) this.cancel = script.cancel;
  }

  /** How many sources are open. */
  get openSources(): number {
    return this.sources.filter(({ stopped }) => !stopped).length;
  }

  async open(host: Host): Promise<void> {
    this.asked.push("open");
    this.host = host;
    await this.#script.open?.(host);
  }
  async deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    this.asked.push(`deploy ${mode}`);
    return await this.#script.deploy?.(topology, mode) ?? [];
  }
  send(batch: readonly Outgoing[]): void | Promise<void> {
    this.asked.push(`send ${batch.length}`);
    this.sent.push(...batch);
    if (this.#script.send !== undefined) return this.#script.send(batch);
    for (const each of batch) each.settled();
  }
  async receive(source: Source, sink: Sink): Promise<Receiver> {
    this.asked.push(`receive ${source.queue}`);
    await this.#script.receive?.(source, sink);
    const open: OpenSource = { source, sink, settled: [], stopped: false };
    this.sources.push(open);
    return {
      address: `queue:${source.queue}`,
      settle: (batch) => {
        open.settled.push(...batch);
        return Promise.resolve();
      },
      credit: () => {},
      stop: async () => {
        this.asked.push(`stop ${source.queue}`);
        await this.#script.stop?.(source);
        open.stopped = true;
      },
    };
  }
  async close(deadline: number): Promise<void> {
    this.asked.push("close");
    await this.#script.close?.(deadline);
  }
}

/** A promise that rejects when the signal aborts, and never resolves. */
export function never(signal?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
