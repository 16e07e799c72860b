/** One event after another for one machine, without a bus: ours and XState's. @module */
import { event, saga, type } from "../../mod.ts";
import type { MessageContext } from "../../src/pipeline/context.ts";
import { newInstance, type SagaEffects } from "../../src/sagas/instance.ts";
import { handle, planOf } from "../../src/sagas/machine.ts";
import { definitionOfSaga } from "../../src/sagas/saga.ts";
import { peer } from "../peers/mod.ts";
import type { Case } from "../support/program.ts";

interface Actor {
  start(): void;
  send(event: { readonly type: string; readonly by?: number; readonly id?: string }): void;
  getSnapshot(): { readonly value: unknown; readonly context: { readonly count: number } };
}
interface XState {
  createMachine(config: object): object;
  createActor(machine: object): Actor;
  assign(update: object): object;
}
interface Added {
  readonly id: string;
  readonly by: number;
}

const Added = event<Added>("bench.added");
const Removed = event<Added>("bench.removed");
const Begun = event<{ readonly id: string }>("bench.begun");

/** Two states that events lead to and fro, a guard on each, and a number that they change. */
const Counter = saga("counter", {
  data: type<{ count: number }>(),
  states: ["even", "odd"],
  events: (on) => ({
    begun: on.start(Begun, (m) => m.id, () => ({ count: 0 })),
    added: on(Added, (m) => m.id),
    removed: on(Removed, (m) => m.id),
  }),
}, ({ initially, during, when }) => [
  initially(when("begun").transitionTo("even")),
  during(
    "even",
    when("added", (ctx) => ctx.message.by > 0)
      .then((ctx) => {
        ctx.saga.count += ctx.message.by;
      })
      .transitionTo("odd"),
  ),
  during(
    "odd",
    when("removed", (ctx) => ctx.message.by > 0)
      .then((ctx) => {
        ctx.saga.count -= ctx.message.by;
      })
      .transitionTo("even"),
  ),
]);

/** None of them is asked for anything. */
const effects: SagaEffects = {
  context: {} as MessageContext, // no step reads it
  now: () => 0,
  newId: () => "",
  random: () => 0,
  wait: () => Promise.resolve(),
  transitioned: () => {},
  publish: () => {},
  send: () => {},
  respond: () => {},
  abandon: () => {},
  park: () => undefined,
  request: () => {},
  schedule: () => {},
  unschedule: () => {},
  resume: () => {},
};

/** By the names that `machine.ts` and the report use: events per second. */
export const cases: Readonly<Record<string, Case>> = {
  "machine": {
    count: 10_000_000,
    prepare: async () => {
      const definition = definitionOfSaga(Counter);
      if (definition === undefined) throw new Error("That is no saga");
      const plan = planOf(definition);
      const data = { count: 0 };
      const instance = newInstance("1", "a", data);
      await handle(plan, instance, { kind: "event", event: "begun", message: { id: "1" } }, effects);
      return (count) => {
        for (let i = 0; i < count; i += 2) {
          handle(plan, instance, { kind: "event", event: "added", message: { id: "1", by: 1 } }, effects);
          if (instance.state !== "odd") throw new Error(`It is in "${instance.state}" after an odd number of events`);
          handle(plan, instance, { kind: "event", event: "removed", message: { id: "1", by: 1 } }, effects);
        }
        if (instance.state !== "even" || data.count !== 0) throw new Error("It has lost count");
        return Promise.resolve();
      };
    },
  },
  "xstate": {
    count: 2_000_000,
    prepare: async () => {
      const { createMachine, createActor, assign } = await peer<XState>("xstate");
      type Given = { readonly context: { readonly count: number }; readonly event: Added };
      const step = (target: string, sign: number) => ({
        target,
        guard: ({ event: { by } }: Given) => by > 0,
        actions: assign({ count: ({ context, event: { by } }: Given) => context.count + sign * by }),
      });
      const machine = createMachine({
        initial: "initial",
        context: { count: 0 },
        states: {
          initial: { on: { begun: "even" } },
          even: { on: { added: step("odd", 1) } },
          odd: { on: { removed: step("even", -1) } },
        },
      });
      const actor = createActor(machine);
      actor.start();
      actor.send({ type: "begun" });
      return (count) => {
        for (let i = 0; i < count; i += 2) {
          actor.send({ type: "added", id: "1", by: 1 });
          if (actor.getSnapshot().value !== "odd") throw new Error("It has not taken the event");
          actor.send({ type: "removed", id: "1", by: 1 });
        }
        const { value, context } = actor.getSnapshot();
        if (value !== "even" || context.count !== 0) throw new Error("It has lost count");
        return Promise.resolve();
      };
    },
  },
};
