/** An endpoint that runs. @module */
import { StopDeadlineError } from "../errors/lifecycle.ts";
import { ActiveList } from "../pipeline/active_list.ts";
import { Consumption } from "../pipeline/consumption.ts";
import type { EndpointServices } from "../pipeline/endpoint_services.ts";
import type { Gate } from "../pipeline/gate.ts";
import type { ConsumptionOwner } from "../pipeline/consume_pipeline.ts";
import { Intake, type IntakeOwner } from "../pipeline/intake.ts";
import { Releases } from "../pipeline/releases.ts";
import { Settler } from "../pipeline/settler.ts";
import { headerText, names } from "../envelope/headers.ts";
import { referred } from "../pipeline/reference.ts";
import type { Delivery, Receiver, Settlement, Sink, Source, Transport } from "../spi/transport.ts";
import type { EndpointPlan } from "./endpoint_plan.ts";

/** What an endpoint does at the moment. */
export interface EndpointState {
  /** Deliveries that run. */
  readonly active: number;
  /** Deliveries that have come and not started. */
  readonly waiting: number;
  /** Settlements that the broker has not heard of. */
  readonly settling: number;
  readonly paused: boolean;
  /** Why it takes nothing, or less, as a gate says; or why what it takes comes again and again. */
  readonly reason: string | undefined;
  /** The name of a gate for which the broker is asked for nothing. */
  readonly blockedBy: string | undefined;
  /** When a delivery was last finished, or the endpoint had nothing to do; epoch milliseconds. */
  readonly progressAt: number;
}

/** A message that is being handled. */
export interface Handling {
  readonly type: string;
  readonly messageId: string;
  readonly attempt: number;
  /** Not with its handlers yet, with them, or waiting for its next attempt or an answer. */
  readonly at: "pipeline" | "handler" | "wait";
}

/** An endpoint that runs: takes deliveries in, handles and settles them. */
export class EndpointRuntime implements Sink, IntakeOwner, ConsumptionOwner {
  readonly plan: EndpointPlan;
  readonly services: EndpointServices;
  readonly #source: Source;
  readonly #active = new ActiveList();
  readonly #intake: Intake;
  readonly #gates: readonly Gate[];
  /** Made with the first: few endpoints are ever paused, and some transports count no release. */
  #releases: Releases | undefined;
  #uncounted = false;
  #receiver: Receiver | undefined;
  #settler: Settler | undefined;
  #credit: number;
  #immediate = false;
  #paused = false;
  #stopped = false;
  #progressAt: number;
  /** What is delivered is being handled: when it was is looked at once for all that ends meanwhile. */
  #delivering = false;
  #progressed = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(plan: EndpointPlan, services: EndpointServices, source: Source) {
    this.plan = plan;
    this.services = services;
    this.#source = source;
    this.#credit = source.credit;
    this.#progressAt = services.clock.now();
    this.#gates = plan.gates(services.clock, () => this.#gatesChanged());
    this.#intake = new Intake({
      concurrency: plan.concurrency,
      gates: this.#gates,
      slotless: plan.bindings.anyBatched
        ? (delivery) => plan.bindings.match(this.#typeOf(delivery)).batched
        : undefined,
      owner: this,
      foresee: plan.foresee,
    });
  }

  /** What it does at the moment. */
  get state(): EndpointState {
    return {
      active: this.#intake.running,
      waiting: this.#intake.waiting,
      settling: this.#settler?.unsettled ?? 0,
      paused: this.#paused,
      reason: this.#gates.map((gate) => gate.reason).find((reason) => reason !== undefined) ?? this.#trouble,
      blockedBy: this.#gates.find((gate) => gate.blocking)?.name,
      progressAt: this.#intake.running + this.#intake.waiting === 0 ? this.services.clock.now() : this.#progressAt,
    };
  }
  get #trouble(): string | undefined {
    const error = this.#settler?.trouble;
    return error && `It can neither move messages nor put them off, so that they come again: ${error.message}`;
  }
  #typeOf({ frame, via }: Delivery): string {
    const type = referred(frame)?.envelope.type ?? headerText(frame.headers[names.type]);
    return type || (via === undefined ? undefined : this.services.typeByTopic(via)) || "";
  }
  /** The messages that are being handled: for a harness that says what never ends. */
  get handling(): readonly Handling[] {
    return [...this.#active].map(({ envelopeIfRead, attempt, handled, interrupt, asking }) => ({
      type: envelopeIfRead?.type ?? "",
      messageId: envelopeIfRead?.messageId ?? "",
      attempt,
      at: !handled ? "pipeline" : interrupt !== undefined || asking > 0 ? "wait" : "handler",
    }));
  }

  /** Opens the queue. */
  async open(transport: Transport): Promise<void> {
    const { clock, telemetry, bus, name } = this.services;
    // Deliveries may come before the receiver does: they are started then, and settled through it.
    this.#intake.pause();
    this.#immediate = transport.capabilities.immediate ?? false;
    this.#uncounted = transport.capabilities.uncounted ?? false;
    this.#receiver = await transport.receive(this.#source, this);
    // What is audited is settled after that: until then it may still fail.
    if (this.plan.options.audit === undefined) this.services.settling.receiver = this.#receiver;
    this.#settler = new Settler(this.#receiver, clock, { telemetry, bus, endpoint: name });
    this.#intake.resume();
  }

  deliver(batch: readonly Delivery[]): void {
    this.services.telemetry?.receive(this.services.bus, this.services.name, batch.length);
    if (!this.#immediate) return this.#intake.add(batch);
    // What handlers were done with at once makes room for the next batch at once, where that costs no network.
    this.#settler?.hold();
    this.#delivering = true;
    this.services.look.share();
    this.#intake.add(batch);
    this.services.look.end();
    this.#delivering = false;
    if (this.#progressed) this.#progress();
    this.#settler?.letGo();
  }

  #progress(): void {
    this.#progressed = this.#delivering;
    if (!this.#delivering) this.#progressAt = this.services.clock.now();
  }

  lost(deliveries: readonly Delivery[], reason: Error): void {
    const others: Delivery[] = [];
    for (const delivery of deliveries) {
      const consumption = this.#active.find(delivery);
      if (consumption === undefined) others.push(delivery);
      else consumption.lose(reason);
    }
    if (others.length > 0) this.#intake.lose(others);
  }

  readdressed(): void {
    // Only reply sources have an address that others were told.
  }

  start(delivery: Delivery, sequence: number): void {
    const consumption = new Consumption(this.services, delivery, sequence);
    consumption.released = this.#releases?.of(delivery) ?? 0;
    this.#active.add(consumption);
    this.plan.pipeline.consume(consumption, this);
  }

  finished(consumption: Consumption): void {
    const { delivery, outcome } = consumption;
    this.#active.remove(consumption);
    if (!consumption.lost) this.#releases?.forget(delivery);
    if (consumption.settled) this.#settledInUnit(outcome?.outcome ?? "accept");
    else if (!consumption.lost && !this.#stopped) {
      this.#settler?.settle(outcome === undefined ? new Acceptance(delivery) : { delivery, ...outcome });
    }
    this.#progress();
    const counted = consumption.handled && !consumption.lost && !consumption.stopping;
    this.#intake.finished(delivery, consumption.sequence, consumption.error, counted);
    if (this.#gates.length > 0) this.#regulate();
    if (this.#active.size === 0) {
      this.#idle?.resolve();
      this.#idle = undefined;
    }
  }

  #settledInUnit(outcome: Settlement["outcome"]): void {
    const { telemetry, bus, name } = this.services;
    telemetry?.settle(bus, name, outcome, 1);
  }

  #gatesChanged(): void {
    this.#regulate();
    this.#intake.pump();
  }

  /** Asks the broker for nothing while a gate is shut for long. */
  #regulate(): void {
    const wanted = this.#paused || this.#gates.some((gate) => gate.blocking) ? 0 : this.#source.credit;
    if (wanted === this.#credit) return;
    this.#credit = wanted;
    this.#receiver?.credit(wanted);
  }

  /** Takes nothing more; resolves when nothing is in flight. What had not started goes back. */
  async pause(): Promise<void> {
    this.#paused = true;
    this.#intake.pause();
    this.#regulate();
    this.#releaseWaiting();
    await this.#drained();
  }

  /** Takes messages again. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#regulate();
    this.#intake.resume();
  }

  #releaseWaiting(): void {
    for (const delivery of this.#intake.clear()) {
      if (!this.#uncounted) (this.#releases ??= new Releases()).add(delivery);
      this.#settler?.settle({ delivery, outcome: "release", untouched: true });
    }
  }

  async #drained(): Promise<void> {
    while (!this.#stopped && (this.#active.size > 0 || (this.#settler?.unsettled ?? 0) > 0)) {
      if (this.#active.size > 0) {
        this.#idle ??= Promise.withResolvers<void>();
        await this.#idle.promise;
      } else await this.#settler?.drained();
    }
  }

  /**
   * Takes nothing more, lets what has started end, and gives the rest back. When `deadline` resolves, handlers are told
   * to stop, and are not waited for: their messages go back with the transport's close.
   */
  async stop(deadline: Promise<void>): Promise<void> {
    this.#intake.close();
    await Promise.race([this.#receiver?.stop(), deadline]);
    this.#releaseWaiting();
    for (const collector of this.plan.collectors) collector.flush();
    const drained = this.#drained();
    await Promise.race([drained, deadline]);
    const late = new StopDeadlineError(this.services.bus);
    for (const consumption of this.#active) consumption.stop(late);
    // Handlers that heed the signal give their message back themselves; the others have had their time.
    for (let turn = 0; turn < windUpTurns && this.#active.size > 0; turn++) await Promise.resolve();
    this.#stopped = true;
    // What they still do has no effect: whoever gets their message next handles it.
    for (const consumption of this.#active) consumption.lose(late);
    this.#idle?.resolve();
    for (const gate of this.#gates) gate.close();
  }

  /** After `stop`, where the transport closes, too: no timer is left. */
  close(): void {
    this.#settler?.close();
  }

  /** After `stop`, while the transport stays open: what was not settled goes back, as nobody else says so. */
  async abandon(): Promise<void> {
    const left = [...this.#active].map(({ delivery }) => delivery);
    if (left.length > 0) await this.#receiver?.settle(left.map((delivery) => ({ delivery, outcome: "release" })));
  }
}

/** The common settlement: one is made for nearly every message. */
class Acceptance {
  readonly delivery: Delivery;

  constructor(delivery: Delivery) {
    this.delivery = delivery;
  }
  get outcome(): "accept" {
    return "accept";
  }
}

/** How many turns a handler has to heed `ctx.signal`, without anything to wait for. */
const windUpTurns = 32;
