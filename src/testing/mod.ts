/**
 * Tests without brokers, and without waiting: a bus in memory, on a clock that a test moves.
 *
 * @example
 * ```ts
 * import { command, consumer } from "@hero/messaging";
 * import { createTestHarness } from "@hero/messaging/testing";
 *
 * const SubmitOrder = command<{ orderId: string }>("orders.submit");
 *
 * await using harness = await createTestHarness(consumer(SubmitOrder, () => {}));
 * await harness.send(SubmitOrder, { orderId: "42" });
 * await harness.settled();
 * harness.consumed(SubmitOrder).one();
 * ```
 *
 * @module
 */
export {
  ExplorationError,
  HarnessAssertionError,
  HarnessTimeoutError,
  InstanceCrashedError,
  SimulationError,
} from "./errors.ts";
export { type Exploration, explore, type ExploreOptions, type Exploring } from "./explore.ts";
export type { Fault, FaultCounts, Faults } from "./faults.ts";
export { createTestHarness } from "./create_harness.ts";
export type { TestHarness } from "./harness.ts";
export type { HarnessOptions } from "./harness_options.ts";
export type { ConfigureInstance, Instance, InstanceOptions } from "./instance.ts";
export type { Ledger, WritableLedger } from "./ledger.ts";
export type { MessageQuery, Seen, SeenFilter } from "./queries.ts";
export type { SagaProbe, SagaStep } from "./saga_probe.ts";
export {
  type Invariant,
  type Scenario,
  simulate,
  type SimulationOptions,
  type SimulationReport,
} from "./simulation.ts";
export type { StubReply } from "./stub.ts";
export { type Happening, type Incident, Timeline, type TimelineEntry } from "./timeline.ts";
export { VirtualClock, type VirtualClockOptions } from "./virtual_clock.ts";
export type { World } from "./world.ts";
