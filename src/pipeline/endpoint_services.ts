/** What an endpoint has for what runs on it. @module */
import type { Registry } from "../contracts/registry.ts";
import type { HostInfo } from "../runtime/host.ts";
import type { Serializers } from "../serialization/negotiation.ts";
import type { Clock } from "../spi/clock.ts";
import type { FrameTransform } from "../spi/frame_transform.ts";
import type { Telemetry } from "../spi/telemetry.ts";
import type { Address, Receiver } from "../spi/transport.ts";
import type { Random } from "../values/random.ts";
import type { Bindings } from "./bindings.ts";
import type { SendMiddleware } from "./context.ts";
import type { Observers } from "./observers.ts";
import type { SendTarget } from "./outgoing_message.ts";
import type { Requests } from "./requests.ts";
import type { Routing } from "./routing.ts";
import type { Schedules } from "./schedules.ts";
import type { SendPipeline } from "./send_pipeline.ts";
import type { SharedLook } from "./shared_look.ts";
import type { Statistics } from "./statistics.ts";

/** The type of what came by a topic, for foreign senders that do not say. */
export type TypeByTopic = (topic: string) => string | undefined;

/** What a bus has for all of its endpoints. */
export interface BusServices {
  readonly bus: string;
  readonly host: HostInfo;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: () => string;
  readonly registry: Registry;
  readonly routing: Routing;
  readonly serializers: Serializers;
  /** In the order in which they are applied. */
  readonly transforms: readonly FrameTransform[];
  readonly sendPipeline: SendPipeline;
  readonly outbound: SendTarget;
  readonly observers: Observers;
  readonly telemetry: Telemetry | undefined;
  readonly requests: Requests;
  readonly schedules: Schedules;
}

/** What an endpoint has for what runs on it. */
export interface EndpointServices extends BusServices {
  readonly name: string;
  /** Of its queue, as in `queue:orders`. */
  readonly address: Address;
  readonly concurrency: number;
  /** Whether what is given up or skipped is kept in a queue. */
  readonly keepsFailed: boolean;
  /** Messages of a key must not pass each other, in any process. */
  readonly ordered: boolean;
  readonly overtaking: boolean;
  /** The time as it was when what came together began to be handled, for what need not know it to the millisecond. */
  readonly look: SharedLook;
  /** For how long its inbox, if it has one, knows a message. */
  readonly inboxWindowMs: number;
  /** The receiver that settles in the commits of units, once the endpoint is open; `undefined`: none does. */
  readonly settling: { receiver: Receiver | undefined };
  readonly bindings: Bindings;
  readonly typeByTopic: TypeByTopic;
  readonly sendMiddleware: readonly SendMiddleware[];
  readonly statistics: Statistics;
}
