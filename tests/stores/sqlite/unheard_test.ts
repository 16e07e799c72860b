/** Statements that fail and that nobody waits for: their unit fails with them, and no process does. */
import { assertEquals, assertRejects } from "@std/assert";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { command, createBus, retry } from "../../../mod.ts";
import { sqlite } from "../../../stores/sqlite/mod.ts";
import { changes } from "../../conformance/store/trial.ts";
import { test } from "../../support/runner.ts";
import { withStore } from "./fixture.ts";
import { openNative } from "./native.ts";

const again = "INSERT INTO own VALUES ('a')";

/** A table in which there is "a" already. */
async function withOwn(
  run: (under: Parameters<Parameters<typeof withStore>[1]>[0] & { all(): Promise<string[]> }) => Promise<void>,
) {
  await withStore({}, async (under) => {
    await openNative(under.path, (database) => database.exec(`CREATE TABLE own (text UNIQUE); ${again}`));
    const all = async (): Promise<string[]> => {
      const rows = await openNative(under.path, (database) => database.prepare("SELECT text FROM own").all());
      return rows.map((row) => String(row["text"]));
    };
    await run({ ...under, all });
  });
}

test("a statement that fails and that nobody waits for keeps its unit from committing", () =>
  withOwn(async ({ begin, all }) => {
    const unit = await begin();
    await unit.tx.run("INSERT INTO own VALUES ('b')");
    unit.tx.run(again);
    await unit.tx.run("INSERT INTO own VALUES ('c')");
    await assertRejects(() => unit.commit(changes({})), Error, "UNIQUE");
    const prepared = await begin();
    prepared.tx.prepare("INSERT INTO nowhere VALUES (?)").run("a");
    await assertRejects(() => prepared.commit(changes({})), Error, "no such table: nowhere");
    assertEquals(await all(), ["a"]);
  }));

test("so does one that waits for the writer meanwhile, and one that is refused", () =>
  withOwn(async ({ begin, all }) => {
    const first = await begin();
    await first.tx.run("INSERT INTO own VALUES ('b')");
    const waiting = await begin();
    waiting.tx.run(again);
    const refused = assertRejects(() => waiting.commit(changes({})), Error, "UNIQUE");
    await first.commit(changes({}));
    await refused;
    const ending = await begin();
    ending.tx.run("ROLLBACK");
    await assertRejects(() => ending.commit(changes({})), ConfigurationError);
    assertEquals(await all(), ["a", "b"]);
  }));

test("a failure that somebody is told of is theirs, however they wait for it", () =>
  withOwn(async ({ begin, all }) => {
    const unit = await begin();
    const told: string[] = [];
    const tell = (how: string) => () => void told.push(how);
    await unit.tx.run(again).catch(tell("catch"));
    await unit.tx.run(again).then(tell("no"), tell("then"));
    await unit.tx.run(again).then(tell("no")).finally(() => {}).catch(tell("behind"));
    await Promise.all([unit.tx.run(again), unit.tx.run("INSERT INTO own VALUES ('b')")]).catch(tell("all"));
    await (async () => await unit.tx.run(again))().catch(tell("async"));
    await Promise.race([unit.tx.run(again)]).catch(tell("race"));
    await Promise.resolve(unit.tx.run(again)).catch(tell("resolve"));
    const [{ status }] = await Promise.allSettled([unit.tx.run(again)]);
    told.push(status);
    const begun = Promise.withResolvers<void>();
    begun.resolve(unit.tx.run(again).then(() => {}));
    await begun.promise.catch(tell("resolved"));
    const late = unit.tx.run(again);
    await unit.tx.run("INSERT INTO own VALUES ('c')");
    await late.catch(tell("late"));
    const besides = (async () => {
      try {
        await unit.tx.run(again);
      } catch {
        told.push("beside");
      }
    })();
    await unit.commit(changes({}));
    await besides;
    assertEquals(
      told.join(),
      "catch,then,behind,all,async,race,resolve,rejected,resolved,late,beside",
    );
    assertEquals(await all(), ["a", "b", "c"]);
  }));

test("what follows from a statement tells nobody of its failure by that", () =>
  withOwn(async ({ begin, all }) => {
    for (const follow of [(run: Promise<unknown>) => run.then(() => {}), (run: Promise<unknown>) => run.finally()]) {
      const unit = await begin();
      const followed = follow(unit.tx.run(again));
      await assertRejects(() => unit.commit(changes({})), Error, "UNIQUE");
      await assertRejects(() => followed, Error, "UNIQUE"); // else it would end the process
    }
    assertEquals(await all(), ["a"]);
  }));

test("a statement of a group's member that nobody waits for fails that member alone", () =>
  withOwn(async ({ begin, all }) => {
    const inbox = ["1", "2"].map((messageId) => ({ endpoint: "e", messageId, keepUntil: 10 ** 12 }));
    const unit = await begin({ inbox });
    const failed = assertRejects(
      () =>
        unit.savepoint(0, async () => {
          await unit.tx.run("INSERT INTO own VALUES ('b')");
          unit.tx.run(again);
        }),
      Error,
      "UNIQUE",
    );
    const done = unit.savepoint(1, async () => void await unit.tx.run("INSERT INTO own VALUES ('c')"));
    await Promise.all([failed, done]);
    await unit.commit(changes({}));
    assertEquals(await all(), ["a", "c"]);
    assertEquals((await begin({ inbox })).duplicates, [false, true]);
  }));

test("a message whose handler does not wait for a statement that fails is not handled: it is tried again", () =>
  withOwn(async ({ path, all }) => {
    const Work = command<object>("unheard.work");
    const bus = createBus({ name: "unheard", store: sqlite({ path, synchronous: "normal" }) });
    const attempts: number[] = [];
    const done = Promise.withResolvers<void>();
    bus.endpoint("work", { outbox: true, retry: retry.immediate(2) }).handle(Work, async (_, ctx) => {
      attempts.push(ctx.attempt);
      await ctx.tx.run("INSERT INTO own VALUES (?)", `attempt ${ctx.attempt}`);
      if (ctx.attempt < 3) ctx.tx.run(again);
    });
    bus.observe({ consumed: () => done.resolve() });
    await bus.start();
    await bus.send(Work, {});
    await done.promise;
    await bus.stop();
    assertEquals(attempts, [1, 2, 3]);
    assertEquals(await all(), ["a", "attempt 3"]);
  }));
