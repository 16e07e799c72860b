/** Transitions, and what runs on the way. @module */
import { type Awaitable, isPromise } from "../values/awaitable.ts";
import { andThen, type Handling, type Signal, suspended } from "./handling.ts";
import { giveUp, nothing } from "./instance.ts";
import { isWithin } from "./lineage.ts";
import type { Passage } from "./plan.ts";

/** Brings the instance into a state; does nothing if it is in just that. */
export function transition(handling: Handling, to: string): Awaitable<Signal> {
  const { instance, plan } = handling;
  const from = instance.state;
  if (from === to) return undefined;
  const passage = plan.passage(from, to);
  if (passage === undefined) return assign(handling, from, to);
  return handling.deeper(`enter "${to}"`, () => pass(handling, passage, from, to, 0, undefined));
}

function pass(
  handling: Handling,
  passage: Passage,
  from: string,
  to: string,
  first: number,
  signal: Signal,
): Awaitable<Signal> {
  for (let at = first; at < passage.length; at++) {
    const rule = passage[at];
    // One that was entered has led on to another: the rest is not entered any more.
    if (rule?.trigger.on === "enter" && handling.instance.state !== to) continue;
    const result = rule === undefined
      ? assign(handling, from, to)
      : handling.run(handling.context(undefined), rule.steps);
    if (isPromise(result)) {
      const next = at + 1;
      return result.then((waits) => pass(handling, passage, from, to, next, waits ?? signal));
    }
    // What waits for a compensation does not keep the other rules from running.
    if (result === suspended) signal = suspended;
  }
  return signal;
}

function assign(handling: Handling, from: string, to: string): Awaitable<void> {
  const { instance, effects, plan } = handling;
  plan.checkData(instance, to);
  instance.state = to;
  effects.transitioned(from, to);
  if (instance.requests !== nothing) return abandon(handling, to);
}

/** Requests whose state has been left are given up. */
function abandon({ instance, effects, plan }: Handling, to: string): Awaitable<void> {
  let done: Awaitable<void> = undefined;
  for (const [id, { step }] of Object.entries(instance.requests)) {
    const pending = plan.definition.requests.get(step)?.pending;
    if (pending === undefined || isWithin(to, pending)) continue;
    done = andThen(done, () => giveUp(instance, id, effects));
  }
  return done;
}
