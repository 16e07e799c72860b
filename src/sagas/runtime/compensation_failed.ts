/** Tells that an undo was given up. @module */
import { exceptionInfo } from "../../errors/exception_info.ts";
import { CompensationFailedError, UnknownUndoError } from "../../errors/saga.ts";
import type { Consumption } from "../../pipeline/consumption.ts";
import { noOptions } from "../../pipeline/draft.ts";
import { CompensationFailed } from "../instances.ts";

/** Publishes {@linkcode CompensationFailed} where that is what a message was given up for. */
export async function tellCompensationFailed(consumption: Consumption, error: Error): Promise<void> {
  if (!(error instanceof CompensationFailedError || error instanceof UnknownUndoError)) return;
  const { services, envelope } = consumption;
  const { saga, id, undo } = error;
  const message: CompensationFailed = {
    saga,
    id,
    undo,
    exceptions: [exceptionInfo(error)],
    messageId: envelope.messageId,
    timestamp: new Date(services.clock.now()).toISOString(),
  };
  // The message is given up, and this says so: it does not wait for a unit that has failed.
  await services.sendPipeline.send(
    "publish",
    CompensationFailed,
    message,
    noOptions,
    consumption,
    services.outbound,
  );
}
