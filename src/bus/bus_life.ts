/** The life of a bus: start, stop, and what joins and leaves meanwhile. @module */
import { AlreadyStartedError, NotStartedError, StartTimeoutError, StoppedError } from "../errors/lifecycle.ts";
import { type PluginStatus, ReportedStatus } from "../pipeline/plugin_status.ts";
import { abortable } from "../values/abortable.ts";
import { milliseconds } from "../values/duration.ts";
import { queueName } from "../values/destination.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import type { Connection } from "./bus.ts";
import type { BusCore } from "./bus_core.ts";
import type { Counts, StopOptions } from "./control.ts";
import type { EndpointBuilder } from "./endpoint.ts";
import type { EndpointRuntime, Handling } from "./endpoint_runtime.ts";
import type { Endpoints } from "./endpoints.ts";
import { topologyOf } from "./topology.ts";
import { unlessMissing } from "./unless_missing.ts";

const defaultDeadline = "30s";
/** What {@linkcode StopOptions} may name. */
export const stopOptionNames: OptionNames<StopOptions> = { deadline: true };

type State = "new" | "starting" | "running" | "stopping" | "stopped";

/** What is going on inside a bus. */
export interface Activity {
  /** Messages on their way to the broker. */
  readonly sending: number;
  /** Deliveries that run, wait for their turn, or are being settled. */
  readonly handling: number;
  /** Those of them that have been handled, and of which the broker has not heard. */
  readonly settling: number;
  /** Those of them that run. */
  readonly running: readonly (Handling & { readonly endpoint: string })[];
  /** Endpoints whose gates ask the broker for nothing, and why; those that are paused are none of them. */
  readonly gated: readonly { readonly endpoint: string; readonly queue: string; readonly reason: string }[];
}

/** The life of a bus. */
export class BusLife {
  readonly #core: BusCore;
  readonly #endpoints: Endpoints;
  /** Ends what waits for the transport. */
  readonly #abort = new AbortController();
  /** Ends the streams: `stop` does not wait for who reads them. */
  readonly #ending = new AbortController();
  readonly #started = Promise.withResolvers<void>();
  #state: State = "new";
  #opening: Promise<void> | undefined;
  /** `start` is under way. */
  #opens = false;
  #stopping: Promise<void> | undefined;
  /** Ends the wait of `stop`. */
  #hurry: () => void = () => {};
  readonly #transportStatus: ReportedStatus;

  constructor(core: BusCore, endpoints: Endpoints) {
    this.#core = core;
    this.#transportStatus = new ReportedStatus(`transport ${core.transport.name}`, core.observers);
    this.#endpoints = endpoints;
    // Streams may wait for it; without them nobody does.
    this.#started.promise.catch(() => {});
  }

  get running(): boolean {
    return this.#state === "running";
  }
  /** Aborts when the bus begins to stop. */
  get stopping(): AbortSignal {
    return this.#ending.signal;
  }
  get transportStatus(): PluginStatus {
    return this.#transportStatus.now;
  }
  /** What is going on inside. */
  get activity(): Activity {
    const { running } = this.#endpoints;
    return {
      sending: this.#core.sending,
      settling: running.reduce((sum, { state }) => sum + state.settling, 0),
      handling: running.reduce((sum, { state }) => sum + state.active + state.waiting + state.settling, 0),
      running: running.flatMap((endpoint) =>
        endpoint.handling.map((each) => ({ endpoint: endpoint.services.name, ...each }))
      ),
      gated: running.flatMap(({ state: { paused, reason, blockedBy }, services: { name, address } }) =>
        paused || blockedBy === undefined
          ? []
          : [{ endpoint: name, queue: queueName(address) ?? address, reason: reason ?? blockedBy }]
      ),
    };
  }

  /** @throws {AlreadyStartedError} once the bus has started, {@linkcode StoppedError} once it has stopped */
  configuring(doing: string): void {
    if (this.#state === "new") return;
    if (this.#state === "stopping" || this.#state === "stopped") throw new StoppedError(this.#core.name, doing);
    throw new AlreadyStartedError(this.#core.name, doing);
  }

  /** @throws {NotStartedError} before the bus runs, {@linkcode StoppedError} once it has stopped */
  check(doing: string): void {
    if (this.#state === "running" || this.#state === "stopping") return;
    if (this.#state === "stopped") throw new StoppedError(this.#core.name, doing);
    throw new NotStartedError(this.#core.name, doing);
  }

  /** @throws {StoppedError} once the bus stops */
  checkNotStopped(doing: string): void {
    if (this.#state === "stopping" || this.#state === "stopped") throw new StoppedError(this.#core.name, doing);
  }

  /** Resolves when the bus runs. */
  async started(signal: AbortSignal | undefined): Promise<void> {
    const { promise } = this.#started;
    await (signal === undefined ? promise : abortable(promise, signal));
  }

  /** Connects; once. */
  openTransport(): Promise<void> {
    const { transport, services, name, storage } = this.#core;
    this.#opening ??= transport.open({
      bus: name,
      store: storage?.given === true ? storage.store : undefined,
      clock: services.clock.background ?? services.clock,
      signal: this.#abort.signal,
      status: (now) => this.#transportStatus.report(now),
    }).then(() => this.#transportStatus.opened());
    return this.#opening;
  }

  /** The same for whoever looks at queues, which a bus that was not started can do as well. */
  async reach(): Promise<void> {
    if (this.#opening === undefined) this.checkNotStopped("look at queues");
    await this.openTransport();
  }

  /** The same for whoever looks at what the store keeps. */
  async reachStore(): Promise<void> {
    const { storage } = this.#core;
    if (storage?.opened !== true) this.checkNotStopped("look at what is parked");
    await storage?.open();
  }

  async start(signal: AbortSignal | undefined): Promise<void> {
    this.configuring("start");
    signal?.throwIfAborted();
    this.#state = "starting";
    this.#opens = true;
    const abort = (): void => this.#abort.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const plans = this.#endpoints.plan(this.#core);
      this.#endpoints.seal();
      await this.#orAborted(() => this.openTransport());
      const { registry, routing, transport, requests } = this.#core;
      const topology = topologyOf(plans, registry, routing, transport.capabilities);
      await this.#orAborted(() => this.#core.prepare(topology));
      await this.#orAborted(() => this.#core.openStorage());
      this.#abort.signal.throwIfAborted();
      requests.open(transport);
      // What handlers send while others still open waits at the broker: it is all declared.
      this.#state = "running";
      this.#core.storage?.start();
      for (const plan of plans) await this.#orAborted(() => this.#endpoints.open(plan, this.#core));
      this.#abort.signal.throwIfAborted();
      this.#opens = false;
      this.#started.resolve();
    } catch (thrown) {
      const error = this.#explained(thrown, signal); // closing forgets what was waited for
      await this.#undo(error);
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** A signal that has run out of time knows nothing of what took it. One that somebody aborts has a reason already. */
  #explained(error: unknown, signal: AbortSignal | undefined): unknown {
    if (!signal?.aborted || error !== signal.reason || !(error instanceof Error)) return error;
    if (error.name !== "TimeoutError") return error;
    const { name, storage } = this.#core;
    const plugins: readonly (readonly [string, PluginStatus | undefined])[] = [
      [this.#transportStatus.name, this.#transportStatus.now],
      [`store ${storage?.store.name}`, storage?.status],
    ];
    const [awaited] = plugins.flatMap(([name, status]) => status?.cause === undefined ? [] : [{ name, ...status }]);
    return new StartTimeoutError(name, awaited?.name, { cause: awaited?.cause ?? error });
  }

  /** A transport that does not heed the signal, or is not given it, must not hold up who gave it. */
  async #orAborted<T>(work: () => Promise<T>): Promise<T> {
    this.#abort.signal.throwIfAborted();
    return await abortable(work(), this.#abort.signal);
  }

  /** A start that failed leaves nothing behind. */
  async #undo(error: unknown): Promise<void> {
    this.#opens = false;
    this.#started.reject(error);
    // What goes wrong while it closes has its reason in what went wrong before: that is told.
    this.#stopping ??= this.#close(Promise.resolve(), this.#core.services.clock.now()).catch(() => {});
    await this.#stopping.catch(() => {});
  }

  /** Opens an endpoint while the others run. */
  async connect(builder: EndpointBuilder): Promise<Connection> {
    const { registry, routing, transport } = this.#core;
    let runtime: EndpointRuntime;
    try {
      const plan = this.#endpoints.planMore(builder, this.#core);
      await this.#core.prepare(topologyOf([plan], registry, routing, transport.capabilities));
      await this.#core.openStorage();
      this.#core.storage?.start();
      runtime = await this.#endpoints.open(plan, this.#core);
      if (this.#stopping !== undefined) {
        // Who stops the bus meanwhile does not wait for it.
        await runtime.stop(Promise.resolve());
        throw new StoppedError(this.#core.name, `connect "${builder.name}"`);
      }
    } catch (error) {
      this.#endpoints.remove(builder.name);
      throw error;
    }
    let disconnecting: Promise<void> | undefined;
    // deno-lint-ignore require-await -- async, so that options that are none reject
    const disconnect = async (options: StopOptions = {}): Promise<void> => {
      checkOptionNames(options, stopOptionNames, `disconnect() of "${builder.name}"`);
      return disconnecting ??= this.#disconnect(builder.name, runtime, options);
    };
    return { endpoint: builder.name, disconnect, [Symbol.asyncDispose]: () => disconnect() };
  }

  async #disconnect(name: string, runtime: EndpointRuntime, options: StopOptions): Promise<void> {
    const { deadline, cancel } = this.#deadline(milliseconds(options.deadline ?? defaultDeadline, "{ deadline }"));
    await runtime.stop(deadline);
    await runtime.abandon();
    cancel();
    this.#endpoints.remove(name);
  }

  #deadline(inMs: number): { readonly deadline: Promise<void>; readonly cancel: () => void; readonly now: () => void } {
    const { clock } = this.#core.services;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (inMs === 0) resolve();
    const cancel = inMs === 0 ? () => {} : clock.at(clock.now() + inMs, resolve);
    return { deadline: promise, cancel, now: resolve };
  }

  stop(options: StopOptions): Promise<void> {
    if (this.#stopping !== undefined) {
      this.#hurry();
      return this.#stopping;
    }
    const inMs = milliseconds(options.deadline ?? defaultDeadline, "{ deadline }");
    const { deadline, cancel, now } = this.#deadline(inMs);
    this.#hurry = now;
    const until = this.#core.services.clock.now() + inMs;
    this.#state = this.#state === "new" ? "stopped" : "stopping";
    // A start that is under way goes no further, and rejects.
    if (this.#opens) this.#abort.abort(new StoppedError(this.#core.name, "start"));
    this.#stopping = this.#close(deadline, until).finally(cancel);
    return this.#stopping;
  }

  async #close(deadline: Promise<void>, until: number): Promise<void> {
    const { requests, services, transport } = this.#core;
    this.#ending.abort(new StoppedError(this.#core.name, "stream"));
    if (!this.#abort.signal.aborted) this.#started.reject(new StoppedError(this.#core.name, "wait for the start"));
    try {
      await Promise.all(this.#endpoints.running.map((endpoint) => endpoint.stop(deadline)));
      // What middleware, a schema or a new topic holds up has been sent all the same.
      await Promise.race([services.sendPipeline.prepared(), deadline]);
      await Promise.race([this.#core.drained(), deadline]);
      await Promise.race([this.#core.storage?.stop(), deadline]);
    } finally {
      this.#state = "stopped";
      for (const endpoint of this.#endpoints.running) endpoint.close();
      requests.close();
      this.#core.close();
      this.#abort.abort(new StoppedError(this.#core.name, "connect"));
      this.#transportStatus.closed();
      try {
        if (this.#opening !== undefined) await transport.close(until);
      } finally {
        await this.#core.storage?.close();
      }
    }
  }

  /** How many messages are where, as far as the broker tells. */
  async counts(endpoint: string): Promise<Counts> {
    const { state, services } = this.#endpoints.runtime(endpoint);
    const { admin } = this.#core.transport;
    const aside = (suffix: "_error" | "_skipped") => {
      if (!services.keepsFailed) return undefined;
      const queue = queueName(this.#core.routing.queue(endpoint, suffix)) ?? "";
      return unlessMissing(queue, admin?.count(queue));
    };
    const [own, failed, skipped] = await Promise.all([
      admin?.count(queueName(services.address) ?? services.address),
      aside("_error"),
      aside("_skipped"),
    ]);
    return {
      waiting: own?.waiting ?? state.waiting,
      active: own?.active ?? state.active + state.waiting,
      delayed: own?.delayed ?? 0,
      failed: failed?.waiting ?? 0,
      skipped: skipped?.waiting ?? 0,
    };
  }
}
