/** What a test harness may say. @module */
import type { Bus } from "../bus/bus.ts";
import { busOptionNames, type BusOptions } from "../bus/bus_options.ts";
import type { Runnable } from "../pipeline/consumer.ts";
import type { Duration } from "../values/duration.ts";
import type { Instant } from "../values/instant.ts";
import type { OptionNames } from "../values/option_names.ts";

/** What a harness may say: what a bus may, but for what is the harness' own. */
export interface HarnessOptions<Tx = undefined>
  extends Partial<Omit<BusOptions<Tx>, "transport" | "clock" | "newId" | "random">> {
  /** Added to the bus before it starts. */
  readonly consumers?: readonly Runnable<Tx>[];
  /** Called with the bus before it starts: endpoints, middleware. */
  readonly configure?: (bus: Bus<Tx>) => void;
  /** From it follow message ids and jitter. 1 unless said otherwise: each run is as the last. */
  readonly seed?: number;
  /** When the virtual clock begins. Left out: 2026-01-01T00:00:00Z. */
  readonly start?: Instant;
  /** Messages are passed on as they are, frozen, and not serialized. A test then does not see what a broker delivers. */
  readonly byReference?: boolean;
  /** How long `settled()` waits, in real time. 5 s. */
  readonly timeout?: Duration;
}

const { transport: _transport, clock: _clock, newId: _newId, random: _random, ...ofTheBus } = busOptionNames;
/** What {@linkcode HarnessOptions} may name. */
export const harnessOptionNames: OptionNames<HarnessOptions<unknown>> = {
  ...ofTheBus,
  consumers: true,
  configure: true,
  seed: true,
  start: true,
  byReference: true,
  timeout: true,
};
