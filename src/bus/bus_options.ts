/** What a bus may say. @module */
import type { Contract } from "../contracts/contract.ts";
import type { HostInfo } from "../runtime/host.ts";
import type { Clock } from "../spi/clock.ts";
import type { FrameTransform } from "../spi/frame_transform.ts";
import type { Serializer } from "../spi/serializer.ts";
import type { Store } from "../spi/store.ts";
import type { Telemetry } from "../spi/telemetry.ts";
import type { Transport } from "../spi/transport.ts";
import type { NamingPolicy, Routes } from "../pipeline/routing.ts";
import type { Random } from "../values/random.ts";
import type { OptionNames } from "../values/option_names.ts";

/** What a bus may say. */
export interface BusOptions<out Tx> {
  /** Of the application: names the endpoints of its events, and what faults and logs tell of. */
  readonly name: string;
  /** Left out: in memory. */
  readonly transport?: Transport;
  /** Left out: in memory, its `tx` is `undefined`. */
  readonly store?: Store<Tx>;
  /** Where commands and queries go, and topics of events. */
  readonly routes?: Routes;
  /** Contracts that the bus should know though it neither handles nor routes them: `ctx.is(Derived)` wants them. */
  readonly contracts?: readonly Contract[];
  /** How contracts and endpoints are called at the broker. Left out: by their own names. */
  readonly naming?: NamingPolicy;
  /** Stands before the name of every queue and topic of this bus: begins as a name does. */
  readonly prefix?: string;
  /** What it writes; it reads whatever content type it knows. Left out: JSON. */
  readonly serializer?: Serializer;
  /** What it reads beside that. JSON is always read. */
  readonly serializers?: readonly Serializer[];
  /** What is done to frames before they are sent, in this order, and undone after they have come: encryption and such. */
  readonly transforms?: readonly FrameTransform[];
  /**
   * What `start()` does about queues and topics. `"apply"`: it makes what is missing. `"check"`: it fails with
   * `TopologyError` if anything is missing, and needs no right to manage; what is in memory and no other bus' can only be
   * made by itself, and is. `"apply"` unless said otherwise.
   */
  readonly deploy?: "apply" | "check";
  /** How many messages may wait here while the transport asks to wait; beyond it, `BackpressureError`. 10,000. */
  readonly sendBuffer?: number;
  /** Sees what is sent, received, processed and settled. */
  readonly telemetry?: Telemetry;
  /** Left out: the system's. */
  readonly clock?: Clock;
  /** Left out: UUIDv7. */
  readonly newId?: () => string;
  /** For jitter. Left out: `Math.random`. */
  readonly random?: Random;
  /** What faults and error queues tell of this machine, where the web standards do not know it. */
  readonly host?: Partial<Omit<HostInfo, "bus" | "version">>;
}

/** What {@linkcode BusOptions} may name. */
export const busOptionNames: OptionNames<BusOptions<unknown>> = {
  name: true,
  transport: true,
  store: true,
  routes: true,
  contracts: true,
  naming: true,
  prefix: true,
  serializer: true,
  serializers: true,
  transforms: true,
  deploy: true,
  sendBuffer: true,
  telemetry: true,
  clock: true,
  newId: true,
  random: true,
  host: true,
};
