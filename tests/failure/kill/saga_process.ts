/**
 * A process of a service with a saga that is killed: `saga_process.ts <ledger> <broker> <point> <times> <skew>`. Handles
 * all inputs that are there, and what follows from them; ends when nothing is left to do, unless it is killed before.
 *
 * The saga has ten steps: a worker does each, and says so. Behind the fifth it pauses; of the first four each can be
 * undone, which is done for every odd input in the end.
 */
import process from "node:process";
import { command, createBus, event, retry, saga, type } from "../../../mod.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";
import type { Clock } from "../../../src/spi/clock.ts";
import { Killer } from "./killer.ts";
import { KillingStore } from "./killing_store.ts";
import { BrokerFile, LastingTransport } from "./lasting_broker.ts";
import { ledgerAt } from "./ledger.ts";

interface Input {
  readonly input: number;
}
interface Step extends Input {
  readonly step: number;
}
const Begin = command<Input>("trip.begin");
const Do = command<Step>("trip.do");
const Done = event<Step>("trip.done");
const Undo = command<Step>("trip.undo");
const Ended = event<Input & { readonly well: boolean }>("trip.ended");

const [url = "", brokerPath = "", point = "", times = "1", skew = "0"] = process.argv.slice(2);
const killer = new Killer(point, Number(times));
const ledger = await ledgerAt(url);
const broker = new BrokerFile(brokerPath);
// What cannot be sent at once waits a second: who is killed elsewhere need not wait for that.
const transport = new LastingTransport(broker, killer, point.startsWith("later") ? "topic:trip.do" : undefined);
const store = new KillingStore(ledger.store(), killer);

const last = 10;
const undone = ["first", "second", "third", "fourth"];
const idOf = ({ input }: Input): string => String(input);

const Trip = saga("trip", {
  data: type<{ input: number; step: number }>(),
  states: ["going", "pausing", "undoing"],
  timeouts: { pause: "50ms", late: "1h" },
  finalized: "archived",
  events: (on) => ({
    begun: on.start(Begin, idOf, ({ input }) => ({ input, step: 1 })),
    done: on(Done, idOf),
  }),
}, ({ initially, during, when, timeout, sequence }) => {
  const goOn = sequence((steps) =>
    steps.then((ctx) => void ctx.saga.step++).send(Do, ({ saga: { input, step } }) => ({ input, step }))
  );
  const at = (step: number) => when("done", (ctx) => ctx.message.step === step && ctx.saga.step === step);
  return [
    initially(
      when("begun").schedule("late").send(Do, (ctx) => ({ input: ctx.saga.input, step: 1 })).transitionTo("going"),
    ),
    during(
      "going",
      ...undone.map((name, index) =>
        at(index + 1)
          .compensateWith(name, (undo) => undo.send(Undo, (ctx) => ({ input: ctx.saga.input, step: index + 1 })))
          .then((ctx) => {
            killer.cross("handled");
            if (index === 2 && ctx.saga.input % 4 === 0 && ctx.attempt === 1) {
              throw new Error("The first attempt fails");
            }
          })
          .run(goOn)
      ),
      at(5).schedule("pause").transitionTo("pausing"),
      when("done", (ctx) => ctx.message.step < last && ctx.saga.step === ctx.message.step).run(goOn),
      at(last).ifElse(
        (ctx) => ctx.saga.input % 2 === 0,
        (well) => well.unschedule("late").publish(Ended, (ctx) => ({ input: ctx.saga.input, well: true })).finalize(),
        (badly) =>
          badly.transitionTo("undoing")
            .compensate()
            .unschedule("late")
            .publish(Ended, (ctx) => ({ input: ctx.saga.input, well: false }))
            .finalize(),
      ),
    ),
    during("pausing", timeout("pause").transitionTo("going").run(goOn)),
  ];
});

// Later than the lives before: their leases have run out, and nobody waits for that.
const clock: Clock = {
  now: () => systemClock.now() + Number(skew),
  at: (time, run) => systemClock.at(time - Number(skew), run),
};
const bus = createBus({ name: "trips", transport, store, clock });
bus.add(Trip, { concurrency: 4, retry: retry.immediate(1) });
bus.endpoint("work", { outbox: true, concurrency: 4 }).handle(Do, (step, ctx) => ctx.publish(Done, step));
// Whoever is told: at least once.
bus.endpoint("world").handle(Undo, () => {}).handle(Ended, () => {});

await bus.start();
transport.restore();
process.stdout.write("ready\n");
for (const input of broker.unfed()) {
  // Dies in between: the next one sends it again, under the same id.
  await bus.send(Begin, { input }, { messageId: `input ${input}` });
  broker.fed(input);
}
const isQuiet = async (): Promise<boolean> => {
  if (broker.left > 0) return false;
  const { outbox, schedules } = await ledger.left();
  return outbox + schedules === 0;
};
while (!await isQuiet()) await new Promise((resolve) => setTimeout(resolve, 10));
const trips = bus.sagas(Trip);
const [all, over] = [await trips.count(), await trips.count("final")];
if (all !== over) throw new Error(`${all - over} of ${all} instances have not ended`);
await bus.stop();
await ledger.close();
broker.close();
