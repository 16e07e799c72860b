/** What is parked, looked at by a bus that was not started. */
import { assertEquals, assertRejects } from "@std/assert";
import { command, createBus, event, StoppedError } from "../../mod.ts";
import { memoryDatabase, memoryStore } from "../../stores/memory/mod.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { never } from "../support/fakes/scripted_transport.ts";
import { test } from "../support/runner.ts";
import { all, trial } from "../support/trial.ts";

const Placed = event<{ id: string }>("parked.placed");
const Ship = command<{ id: string }>("parked.ship", { to: "queue:shipping" });

trial(
  "a bus that was not started lists what is parked, discards some, and lets the rest go, for the process that runs to send",
  async (t) => {
    const database = memoryDatabase();
    const bus = t.bus({ store: memoryStore({ database }) });
    bus.endpoint("orders", { outbox: true }).handle(Placed, ({ id }, ctx) => ctx.send(Ship, { id }));
    await bus.start();
    for (const id of ["1", "2", "3"]) await bus.publish(Placed, { id });
    await t.settled();
    const shipped: string[] = [];
    const shipping = t.bus({ name: "shipping" });
    shipping.endpoint("shipping").handle(Ship, ({ id }) => void shipped.push(id));
    await shipping.start();

    const operator = t.bus({ store: memoryStore({ database }) });
    const parked = await all(operator.parked().list());
    assertEquals(parked.map(({ contract, of }) => [contract?.name, of]), [
      ["parked.ship", "outbox"],
      ["parked.ship", "outbox"],
      ["parked.ship", "outbox"],
    ]);
    const unwanted = parked.filter(({ body }) => new TextDecoder().decode(body).includes('"3"'));
    assertEquals(await operator.parked().discard(unwanted.map(({ messageId }) => messageId)), 1);
    assertEquals(await operator.parked().release("all"), 2);
    assertEquals(await all(operator.parked().list()), []);
    await operator.stop();
    await t.pass(60_000);
    assertEquals(shipped.toSorted(), ["1", "2"]);
    await assertRejects(() => all(operator.parked().list()));

    const late = t.bus({ store: memoryStore({ database }) });
    await late.stop();
    await assertRejects(() => all(late.parked().list()), StoppedError);
    assertEquals(await all(t.bus().parked().list()), [], "a bus without a store has parked nothing");
  },
);

test("whoever lists what is parked need not wait for a store that is away", async () => {
  const store = new ScriptedStore();
  const opening = Promise.withResolvers<void>();
  store.open = ({ signal }) => {
    opening.resolve();
    return never(signal);
  };
  const bus = createBus({ name: "operations", store });
  const late = new AbortController();
  const listed = all(bus.parked().list({ signal: late.signal }));
  await opening.promise;
  late.abort(new RangeError("too late"));
  await assertRejects(() => listed, RangeError, "too late");
  await bus.stop();
});
