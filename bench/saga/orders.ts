/** The saga of `bench/masstransit`: two events, which may come in either order, and two transitions. @module */
import { createBus, event, memory, saga, type } from "../../mod.ts";
import { abreast, Consumed } from "../support/flow.ts";
import type { Work } from "../support/program.ts";

interface OrderEvent {
  /** A UUID, as there. */
  readonly id: string;
}
const Submitted = event<OrderEvent>("bench.submitted");
const Paid = event<OrderEvent>("bench.paid");

/** So many publishers, each awaiting its own: as there. */
const publishers = 100;

/** Two transitions for each instance: it begins, and is over. */
export async function orders(byReference: boolean): Promise<Work> {
  const consumed = new Consumed();
  const machine = saga("order", {
    data: type<Record<never, never>>(),
    states: ["waiting", "early"],
    events: (on) => ({
      submitted: on.start(Submitted, (m) => m.id, () => ({})),
      paid: on.start(Paid, (m) => m.id, () => ({})),
    }),
  }, ({ initially, during, when }) => [
    initially(when("submitted").transitionTo("waiting"), when("paid").transitionTo("early")),
    during("early", when("submitted").then(() => consumed.one()).finalize()),
    during("waiting", when("paid").then(() => consumed.one()).finalize()),
  ]);
  const bus = createBus({ name: "bench", transport: memory({ byReference }) });
  bus.add(machine, { concurrency: 64, prefetch: 256 });
  await bus.start();
  return async (count) => {
    const instances = Math.floor(count / 2);
    const over = consumed.expect(instances);
    await abreast(publishers, instances, async () => {
      const id = crypto.randomUUID();
      await bus.publish(Submitted, { id });
      await bus.publish(Paid, { id });
    });
    await over;
  };
}
