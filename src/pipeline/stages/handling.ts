/** Runs the handlers. @module */
import { isPromise } from "../../values/awaitable.ts";
import type { Reading } from "../bindings.ts";
import type { Consumption } from "../consumption.ts";
import { HandlingContext } from "../handling_context.ts";
import { respond } from "../reply.ts";

/** Runs the handlers of a message, one after the other as declared, and answers a request. */
export function handling(consumption: Consumption): void | Promise<void> {
  const { match } = consumption;
  if (match === undefined) return undefined;
  consumption.handled = true;
  const [only] = match.readings;
  if (match.readings.length !== 1 || only === undefined) return runAll(consumption, match.readings);
  const result = run(consumption, only, 0);
  if (consumption.envelope.responseAddress !== undefined) return answer(consumption, only, result);
  // What a handler gives without having been asked is nobody's.
  // A thenable may throw from its `then`, or settle twice: a promise, which costs nothing to be taken for one, does not.
  return isPromise(result) ? Promise.resolve(result) as Promise<void> : undefined;
}

function run(consumption: Consumption, { binding, as }: Reading, index: number): unknown {
  const context = new HandlingContext(consumption, as, index === 0 ? consumption.value : consumption.values[index]);
  consumption.context = context;
  return binding.run(context);
}

async function runAll(consumption: Consumption, readings: readonly Reading[]): Promise<void> {
  const { attempt } = consumption;
  while (consumption.nextReading < readings.length) {
    const reading = readings[consumption.nextReading];
    if (reading === undefined) return;
    const result = run(consumption, reading, consumption.nextReading);
    // Of several handlers, one of the request's own contract answers, whichever stands first.
    if (asked(consumption, reading)) await answer(consumption, reading, result);
    else await result;
    // One that has run out of time goes no further: the next attempt may be on its way already.
    if (consumption.isOver(attempt)) throw consumption.whyOver(attempt);
    if (consumption.stopping) throw consumption.aborted;
    consumption.nextReading++;
  }
}

function asked(consumption: Consumption, { binding, as }: Reading): boolean {
  return consumption.envelope.responseAddress !== undefined && binding.definition.name === as.name;
}

async function answer(consumption: Consumption, { as }: Reading, result: unknown): Promise<void> {
  const { attempt } = consumption;
  const reply: unknown = await result;
  if (consumption.isOver(attempt)) throw consumption.whyOver(attempt);
  // A message that was put off is answered when it is handled; in the unit of a batch it is put off, or known, already.
  if (consumption.outcome !== undefined || consumption.unhandled !== undefined) return;
  if (consumption.responded !== "later") await respond(consumption, as, reply);
}
