/** Whoever asked a saga that has to undo things first: it is answered, or told, once that is done. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { command, CompensationFailed, event, RequestFaultError, retry, saga, type } from "../../../mod.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import { Journal, Latch, type Trial, trial } from "../../support/trial.ts";
import { GetPrice } from "./quotes.ts";

const Booked = event<{ id: string }>("trips.booked");
const Withdraw = command<{ id: string; how: string }, { state: string }>("trips.withdraw");
const GiveBack = command<{ id: string; what: string }>("trips.give-back");

interface Broken {
  /** What cannot be given back, so often. */
  what?: string;
  times: number;
}

function tripSaga(broken: Broken, held: Latch) {
  const giveBack = async (id: string, what: string) => {
    if (what === "flight") await held.pass();
    if (broken.what === what && broken.times-- > 0) throw new RangeError(`cannot give back the ${what}`);
    return { id, what };
  };
  return saga("trip", {
    data: type<object>(),
    states: ["booked", "asking", "withdrawn"],
    events: (on) => ({ booked: on.start(Booked, (m) => m.id, () => ({})), withdraw: on(Withdraw, (m) => m.id) }),
  }, ({ initially, during, when }) => [
    initially(
      when("booked")
        .compensateWith("flight", (undo) => undo.send(GiveBack, (ctx) => giveBack(ctx.id, "flight")))
        .compensateWith("hotel", (undo) => undo.send(GiveBack, (ctx) => giveBack(ctx.id, "hotel")))
        .transitionTo("booked"),
    ),
    during(
      "booked",
      when("withdraw", (ctx) => ctx.message.how === "at once")
        .compensate()
        .respond((ctx) => ({ state: `withdrawn ${ctx.message.how} from ${ctx.state}` }))
        .transitionTo("withdrawn"),
      when("withdraw", (ctx) => ctx.message.how === "silently")
        .compensate()
        .if(() => false, (then) => then.respond(() => ({ state: "never" })))
        .transitionTo("withdrawn"),
      when("withdraw").request(GetPrice, (ctx) => ({ id: ctx.id }), {
        timeout: "30s",
        pending: "asking",
        completed: (then) =>
          then.compensate().respond((ctx) => ({ state: `refunded ${ctx.message.price}` })).transitionTo("withdrawn"),
        faulted: (then) => then.finalize(),
        timedOut: (then) => then.finalize(),
      }),
    ),
    during("withdrawn", when("withdraw").respond((ctx) => ({ state: `${ctx.state} already` }))),
  ]);
}

interface Started {
  /** Of another service: who asks. */
  readonly shop: Bus;
  readonly journal: Journal;
  /** What was given back, and which compensations were given up. */
  readonly told: readonly string[];
  readonly trips: () => ReturnType<Bus["sagas"]>;
  /** One more process with the saga, instead of those before. */
  restart(): Promise<Bus>;
}

async function booked(t: Trial, broken: Broken = { times: 0 }, held = opened()): Promise<Started> {
  const database = memoryDatabase();
  const journal = new Journal();
  const told: string[] = [];
  const Trips = tripSaga(broken, held);
  let bus: Bus | undefined;
  const restart = async (): Promise<Bus> => {
    await bus?.stop({ deadline: 0 });
    bus = t.bus({ name: "trips", store: memoryStore({ database }) });
    bus.add(Trips, { retry: retry.immediate(1) });
    bus.observe(journal);
    await bus.start();
    return bus;
  };
  const others = t.bus({ name: "others" });
  others.endpoint("prices").handle(GetPrice, () => ({ price: 7 }));
  others.endpoint("given-back").handle(GiveBack, ({ what }) => void told.push(what));
  others.endpoint("failed").handle(CompensationFailed, ({ undo }) => void told.push(`${undo} given up`));
  await others.start();
  const first = await restart();
  const shop = t.bus({ name: "shop" });
  await shop.start();
  await first.publish(Booked, { id: "1" });
  await t.settled();
  return { shop, journal, told, trips: () => bus!.sagas(Trips), restart };
}
function opened(): Latch {
  const latch = new Latch();
  latch.open();
  return latch;
}

trial("whoever asked is answered once all is undone, in whatever process that is", async (t) => {
  const held = new Latch();
  const { shop, told, journal, restart } = await booked(t, undefined, held);
  const answers: unknown[] = [];
  const asked = shop.request(Withdraw, { id: "1", how: "at once" }).then((answer) => answers.push(answer));
  await t.until("the flight is being given back", () => held.arrived === 1);
  assertEquals([told, answers], [["hotel"], []]);
  await restart();
  held.open();
  await asked;
  assertEquals(answers, [{ state: "withdrawn at once from booked" }]);
  await t.settled();
  assertEquals(told, ["hotel", "flight"]);
  assertEquals(journal.of("respond").length, 1);
  assertEquals(await shop.request(Withdraw, { id: "1", how: "again" }), { state: "withdrawn already" });
});

trial("whoever asked is answered behind the compensation of a request's branch", async (t) => {
  const { shop, told } = await booked(t);
  assertEquals(await shop.request(Withdraw, { id: "1", how: "for the price" }), { state: "refunded 7" });
  await t.settled();
  assertEquals(told, ["hotel", "flight"]);
});

trial("whoever asked is told where what is behind the compensation does not answer", async (t) => {
  const { shop, told } = await booked(t);
  const { exceptions: [first] } = await assertRejects(
    () => shop.request(Withdraw, { id: "1", how: "silently" }),
    RequestFaultError,
  );
  assertEquals(first?.type, "SagaRequestAbandonedError");
  await t.settled();
  assertEquals(told, ["hotel", "flight"]);
});

trial("whoever asked is told when an undo is given up; the compensation goes on when it is mended", async (t) => {
  const broken = { what: "hotel", times: 2 };
  const { shop, told, trips } = await booked(t, broken);
  const { exceptions: [first] } = await assertRejects(
    () => shop.request(Withdraw, { id: "1", how: "at once" }),
    RequestFaultError,
  );
  assertEquals(first?.type, "CompensationFailedError");
  assertStringIncludes(first?.message ?? "", `"hotel"`);
  await t.settled();
  assertEquals(told, ["hotel given up"]);
  assertEquals(await trips().redeliver("1"), 1);
  await t.settled();
  assertEquals(told, ["hotel given up", "hotel", "flight"]);
  assertEquals((await trips().get("1"))?.state, "withdrawn");
});
