/** Instances whose rows somebody, or a later version, has written otherwise: typed, kept, and in nobody's way. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createBus, event, HeroError, saga, type } from "../../../mod.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { damaged } from "../../stores/damaged.ts";
import { all } from "../../support/trial.ts";

const Begun = event<{ id: string }>("wrecks.begun");
const Met = event<{ id: string }>("wrecks.met");
const Told = event<{ tag: string }>("wrecks.told");

const Wreck = saga("wreck", {
  data: type<{ tag: string; met: number }>(),
  states: ["here"],
  indexes: ["tag"],
  events: (on) => ({
    begun: on.start(Begun, (m) => m.id, (m) => ({ tag: m.id, met: 0 })),
    met: on(Met, (m) => m.id),
    told: on.where(Told, (m) => ({ tag: m.tag })),
  }),
}, ({ initially, during, when }) => [
  initially(when("begun").transitionTo("here")),
  during(
    "here",
    when("met").then((ctx) => {
      ctx.saga.met++;
    }),
    when("told").then((ctx) => {
      ctx.saga.met += 10;
    }),
  ),
]);

/** Which column is to hold what it never does, or what else is done; and the error that names it. */
const wrecks: readonly (readonly [id: string, column: string, set: string | undefined, code: string])[] = [
  ["state", "state", `'gone'`, "HERO_UNREADABLE_SAGA"],
  ["schema", "data_schema", "9", "HERO_SAGA_VERSION_AHEAD"],
  ["data", "data", undefined, "HERO_UNREADABLE_SAGA"],
  ["types", "types", undefined, "HERO_UNREADABLE_SAGA"],
  ["indexes", "indexes", undefined, "HERO_UNREADABLE_SAGA"],
];

damaged("an instance whose row is damaged is refused by a typed error that names it; others go on", async (on) => {
  const bus = createBus({ name: "app", store: on.connect() });
  bus.add(Wreck);
  await bus.start();
  try {
    const sagas = bus.sagas(Wreck);
    const ids = [...wrecks.map(([id]) => id), "whole"];
    for (const id of ids) await bus.publish(Begun, { id });
    await until("all have begun", async () => await sagas.count() === ids.length);
    for (const [id, column, set] of wrecks) {
      const where = `id = '${id}'`;
      await (set === undefined
        ? on.damage("hero_sagas", column, where)
        : on.sql(`UPDATE hero_sagas SET "${column}" = ${set} WHERE ${where} RETURNING 1`));
    }
    const rows = () => on.sql(`SELECT * FROM hero_sagas WHERE id <> 'whole' ORDER BY id`);
    const before = await rows();
    const wrong: string[] = [];
    for (const [id, , , code] of wrecks) {
      for (const ask of [() => sagas.get(id), () => sagas.find({ tag: id })]) {
        const error = await assertRejects(ask);
        if (!(error instanceof HeroError) || error.code !== code || !error.message.includes(`"${id}"`)) {
          wrong.push(`${id}: ${error}`);
        }
      }
    }
    assertEquals(wrong, []);
    assertEquals((await sagas.find({ tag: "whole" })).length, 1);
    await Promise.all(ids.flatMap((id) => [bus.publish(Met, { id }), bus.publish(Told, { tag: id })]));
    await until("all are given up", async () => (await bus.counts("wreck")).failed === 2 * wrecks.length);
    await until("the others have gone on", async () => (await sagas.get("whole"))?.data.met === 11);
    const kept = await all(bus.errors("wreck").list());
    assertEquals(
      kept.map(({ contract, exceptions: [first] }) => `${contract?.name} ${first?.type}`).sort(),
      wrecks.flatMap(([, , , code]) => {
        const type = code === "HERO_UNREADABLE_SAGA" ? "UnreadableSagaError" : "SagaVersionAheadError";
        return [`wrecks.met ${type}`, `wrecks.told ${type}`];
      }).sort(),
    );
    assertEquals(await rows(), before, "what is damaged is left as it is");
    // Nothing is lost: an operator mends the row, and puts the messages back.
    await on.sql(`UPDATE hero_sagas SET state = 'here' WHERE id = 'state' RETURNING 1`);
    await bus.errors("wreck").requeue("all");
    await until("the mended one goes on", async () => {
      const found = await sagas.get("state");
      return found?.data.met === 11;
    });
    assert(kept.length === 2 * wrecks.length);
  } finally {
    await bus.stop();
  }
});

function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  return eventually(realTime(), what, holds, 60_000);
}
