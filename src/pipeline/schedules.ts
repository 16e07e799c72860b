/** Schedules, as whoever makes them sees them. @module */
import type { Contract } from "../contracts/contract.ts";
import type { Cause } from "./draft.ts";
import type { SendTarget } from "./outgoing_message.ts";
import type { ScheduleOptions, ScheduleToken, When } from "./sending.ts";

/** Sends later. */
export interface Schedules {
  schedule(
    contract: Contract,
    message: unknown,
    when: When,
    options: ScheduleOptions<unknown>,
    cause: Cause | undefined,
    target: SendTarget,
  ): Promise<ScheduleToken>;
  /** @param target where what is sent instead would go: in a unit of work, it is part of that */
  unschedule(token: ScheduleToken, target: SendTarget): Promise<void>;
}
