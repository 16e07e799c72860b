/** The saga that is measured on a bus: two events lead to and fro between two states. @module */
import { type Bus, createBus, event, saga, type } from "../../mod.ts";
import type { Store } from "../../src/spi/store.ts";
import { Consumed } from "../support/flow.ts";

interface Switch {
  readonly id: string;
  readonly stamp: number;
}
/** Begins an instance. */
export const Submitted = event<Switch>("bench.submitted");
/** Leads it on. */
export const Toggled = event<Switch>("bench.toggled");
/** Published with each `Toggled`, to an endpoint of the same bus. */
export const Confirmed = event<Switch>("bench.confirmed");

/** What is told of what has happened. */
export interface Told {
  /** In a rule, as its last step. */
  stepped(): void;
  /** When the confirmation has come. */
  confirmed(stamp: number): void;
}

function switchSaga(told: Told, confirms: boolean) {
  return saga("switch", {
    data: type<{ total: number; name: string }>(),
    states: ["off", "on"],
    events: (on) => ({
      submitted: on.start(Submitted, (m) => m.id, (m) => ({ total: 0, name: `switch ${m.id}` })),
      toggled: on(Toggled, (m) => m.id),
    }),
  }, ({ initially, during, when }) => {
    const toggle = (to: "off" | "on") => {
      const counted = when("toggled").then((ctx) => {
        ctx.saga.total++;
        told.stepped();
      });
      return (confirms ? counted.publish(Confirmed, (ctx) => ctx.message) : counted).transitionTo(to);
    };
    return [
      initially(when("submitted").then(() => told.stepped()).transitionTo("off")),
      during("off", toggle("on")),
      during("on", toggle("off")),
    ];
  });
}

/** How it runs. */
export interface SwitchOptions {
  readonly store: Store<unknown>;
  readonly concurrency: number;
  readonly confirms?: boolean;
  /** Called when a confirmation has come. */
  readonly confirmed?: (stamp: number) => void;
}

/** Starts a bus with the saga. */
export async function startSwitches(
  { store, concurrency, confirms = false, confirmed = () => {} }: SwitchOptions,
): Promise<{ readonly bus: Bus<unknown>; readonly consumed: Consumed; readonly told: Told }> {
  const consumed = new Consumed();
  const told: Told = { stepped: () => consumed.one(), confirmed };
  const bus: Bus<unknown> = createBus<unknown>({ name: "bench", store });
  bus.add(switchSaga(told, confirms), { concurrency, prefetch: Math.max(256, concurrency * 4) });
  if (confirms) bus.endpoint("confirmations").handle(Confirmed, ({ stamp }) => told.confirmed(stamp));
  await bus.start();
  return { bus, consumed, told };
}
