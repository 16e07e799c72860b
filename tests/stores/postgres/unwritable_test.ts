/** Statements that the client cannot write, as a value is none. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { StoreUnavailableError, TransactionEndedError } from "../../../src/errors/store.ts";
import { HeroError } from "../../../src/errors/hero_error.ts";
import { onPostgres } from "./opened.ts";

const undefinedValue = "Undefined values are not allowed";
/** As code without types gives them. */
const nothing = undefined as unknown as string;

onPostgres("a first statement with an undefined value rejects, and its unit writes nothing", async (opened) => {
  const store = await opened.store({ max: 1 });
  for (let round = 0; round < 3; round++) { // on a connection that is new, and on those that follow it
    const unit = await store.begin(opened.scope({ inbox: [opened.key("1")] }));
    const error = await assertRejects(async () => await unit.tx`SELECT ${nothing}::text`, Error, undefinedValue);
    assert(!(error instanceof HeroError), "it is the driver's own");
    await assertRejects(async () => await unit.tx`SELECT 1`, TransactionEndedError);
    await assertRejects(() => unit.commit(opened.changes()), TransactionEndedError);
    await unit.rollback();
  }
  const unit = await store.begin(opened.scope({ inbox: [opened.key("1")] }));
  assertEquals([...await unit.tx`SELECT 1 AS one`], [{ one: 1 }]);
  await unit.commit(opened.changes());
});

onPostgres("an answer goes to who has asked, also where a statement between was not written", async (opened) => {
  const store = await opened.store({ max: 1 });
  const unit = await store.begin(opened.scope());
  const { tx } = unit;
  await tx`SELECT ${new Date()}::timestamptz`; // from now on it is prepared
  const asked = [tx`SELECT 'a' AS a`, tx`SELECT ${new Date("no date")}::timestamptz`, tx`SELECT 'c' AS c`];
  const [a, b, c] = await Promise.allSettled(asked);
  assert(b?.status === "rejected" && b.reason instanceof RangeError, "the one that could not be written");
  for (const [outcome, name] of [[a, "a"], [c, "c"]] as const) {
    if (outcome?.status === "fulfilled") assertEquals([...outcome.value], [{ [name]: name }]);
    else assert(outcome?.reason instanceof HeroError, "nobody knows its answer");
  }
  await unit.rollback();
  const next = await store.begin(opened.scope());
  assertEquals([...await next.tx`SELECT 'd' AS d`], [{ d: "d" }]);
  await next.commit(opened.changes());
});

onPostgres("so it is of queries that were asked for more than their rows", async (opened) => {
  const store = await opened.store({ max: 1 });
  const unit = await store.begin(opened.scope());
  await assertRejects(async () => await unit.tx`SELECT ${nothing}::text`.values(), Error, undefinedValue);
  await unit.rollback();
  const other = await store.begin(opened.scope());
  const asked = [other.tx`SELECT pg_sleep(0.01)`.raw(), other.tx`SELECT ${nothing}::text`];
  const [, failed] = await Promise.allSettled<unknown>(asked);
  assert(failed?.status === "rejected" && String(failed.reason).includes(undefinedValue), String(failed?.status));
  await other.rollback();
  const next = await store.begin(opened.scope());
  assertEquals([...await next.tx`SELECT 1 AS one`], [{ one: 1 }]);
  await next.commit(opened.changes());
});

onPostgres("a later one with an undefined value may be caught, and is no loss of the database", async (opened) => {
  const unit = await (await opened.store()).begin(opened.scope());
  await unit.tx`SELECT 1`;
  const error = await assertRejects(async () => await unit.tx`SELECT ${nothing}::text`, Error, undefinedValue);
  assert(!(error instanceof StoreUnavailableError), "the database is there");
  assertEquals([...await unit.tx`SELECT 2 AS two`], [{ two: 2 }]);
  await unit.commit(opened.changes());
  assertEquals(opened.states.filter((state) => state !== "up"), []);
});
