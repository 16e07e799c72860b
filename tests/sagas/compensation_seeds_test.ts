/** Compensations of random length, with undos that fail, parts that come twice, and a crash between any two. */
import { assertEquals } from "@std/assert";
import { CompensationFailedError, saga, type } from "../../mod.ts";
import { seededRandom } from "../../src/values/random.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";
import { Failed, Noted, Submitted } from "./orders.ts";

/** What has happened in units that were committed, in order. */
type Data = { log: string[] };
/** Whether the next undo fails. */
let failing = false;

const Trip = saga("trip", {
  data: type<Data>(),
  states: ["booking", "cancelled"],
  events: (on) => ({
    begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })),
    booked: on(Noted, (m) => m.text),
    failed: on(Failed, (m) => m.id),
  }),
}, ({ initially, during, when }) => {
  const undo = (context: { readonly saga: Data; readonly message: { readonly text: string } }) => {
    context.saga.log.push(context.message.text);
    if (failing) throw new Error("not now");
  };
  return [
    initially(when("begun").transitionTo("booking")),
    during(
      "booking",
      when("booked").switch((ctx) => ctx.message.text.startsWith("car") ? "car" : "hotel", {
        car: (then) => then.compensateWith("car", (steps) => steps.then(undo)),
        hotel: (then) =>
          then.compensateWith("hotel", (steps) =>
            steps.then(async (ctx) => {
              await Promise.resolve();
              undo(ctx);
            })),
      }),
      when("failed", (ctx) => ctx.message.reason === "partly")
        .compensate({ downTo: "car" })
        .then((ctx) => void ctx.saga.log.push("partly")),
      when("failed").compensate().then((ctx) => void ctx.saga.log.push("all")).transitionTo("cancelled"),
    ),
  ];
});

test("every undo runs once and in reverse, whatever fails, comes twice or comes late", async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = seededRandom(seed);
    const one = new Driven(Trip, { log: [] });
    await one.event("begun");
    const booked = Array.from(
      { length: Math.floor(random() * 6) },
      (_, at) => `${random() < 0.4 ? "car" : "hotel"} ${at}`,
    );
    for (const text of booked) await one.event("booked", { text });
    const partly = random() < 0.5;
    const expected: string[] = [];
    const left = [...booked];
    if (partly) {
      const point = left.findIndex((text) => text.startsWith("car"));
      if (point >= 0) expected.push(...left.splice(point).reverse());
      expected.push("partly");
    }
    expected.push(...left.reverse(), "all");

    const tokens: string[] = [];
    for (const reason of partly ? ["partly", "all"] : ["all"]) {
      assertEquals(await one.event("failed", { id: "1", reason }), "handled", `seed ${seed}`);
      while (one.instance.compensating !== undefined) {
        failing = random() < 0.3;
        const { token } = one.instance.compensating;
        // A part that came before comes again, as at least once allows.
        const sent = random() < 0.3 && tokens.length > 0
          ? tokens[Math.floor(random() * tokens.length)] ?? token
          : token;
        try {
          const handled = await one.occur({ kind: "compensate", token: sent });
          assertEquals(handled, sent === token ? "handled" : "stale", `seed ${seed}`);
          if (sent === token) tokens.push(token);
        } catch (error) {
          if (!(error instanceof CompensationFailedError)) throw error;
        }
      }
    }
    failing = false;
    assertEquals((one.instance.data as Data).log, expected, `seed ${seed}`);
    assertEquals([one.state, one.instance.undos], ["cancelled", []], `seed ${seed}`);
    for (const token of tokens) assertEquals(await one.occur({ kind: "compensate", token }), "stale", `seed ${seed}`);
  }
});
