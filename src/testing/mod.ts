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
export { HarnessAssertionError, HarnessTimeoutError } from "./errors.ts";
export { createTestHarness, type HarnessOptions, type TestHarness } from "./harness.ts";
export type { MessageQuery, Seen, SeenFilter } from "./queries.ts";
export type { StubReply } from "./stub.ts";
export { type Happening, Timeline, type TimelineEntry } from "./timeline.ts";
export { VirtualClock, type VirtualClockOptions } from "./virtual_clock.ts";
