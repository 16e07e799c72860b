/** Queues that are made with the first message that comes to them. @module */
import { TopologyError } from "../errors/transport.ts";

/**
 * What was asked of a queue; `undefined`: it is not there. MassTransit makes error queues with the first failure, and a
 * transport makes one that was deleted with the next.
 */
export async function unlessMissing<Result>(
  queue: string,
  asked: Promise<Result> | undefined,
): Promise<Result | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof TopologyError && error.details["missing"] === `queue:${queue}`) return undefined;
    throw error;
  }
}
