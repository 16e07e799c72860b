/** What units ask before they begin: together, and each is told its own. */
import { assertEquals, assertRejects } from "@std/assert";
import { ConflictError } from "../../../src/errors/store.ts";
import type { SagaRow } from "../../../src/spi/rows.ts";
import { type Known, Lookups, type Wanted } from "../../../stores/postgres/lookups.ts";
import type { SqlRow } from "../../../stores/postgres/sql_client.ts";
import { test } from "../../support/runner.ts";
import { onPostgres } from "./opened.ts";

/** Lookups whose questions wait until somebody answers them. */
function asked() {
  const flights: (Wanted & {
    readonly answer: (rows: readonly SqlRow[]) => void;
    readonly fail: (error: Error) => void;
  })[] = [];
  const lookups = new Lookups((wanted) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly SqlRow[]>();
    flights.push({ ...wanted, answer: resolve, fail: reject });
    return promise;
  });
  return { lookups, flights };
}

/** A question about so many keys and instances, each with a name. */
function wanted(name: string, keys: number, instances: number): Wanted {
  const each = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);
  return {
    keys: each(keys).map((at) => ({ bus: "app", endpoint: "e", messageId: `${name}${at}`, keepUntil: 0 })),
    instances: each(instances).map((at) => ({ bus: "app", saga: "s", id: `${name}${at}` })),
  };
}
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

test("what is asked in one turn is one question, and each who asked is told its own", async () => {
  const { lookups, flights } = asked();
  const answers = Promise.all(
    [wanted("a", 2, 1), wanted("b", 0, 2), wanted("c", 1, 0)].map((each) => lookups.find(each)),
  );
  await turn();
  assertEquals(flights.length, 1);
  assertEquals(flights[0]?.keys.map(({ messageId }) => messageId), ["a0", "a1", "c0"]);
  assertEquals(flights[0]?.instances.map(({ id }) => id), ["a0", "b0", "b1"]);
  // The second and third key were handled; the first and third instance are there. In no order.
  flights[0]?.answer([[3, null], [3, "s", "b1"], [2, null], ["1", "s", "a0"]]);
  assertEquals(await answers, [
    { handled: [false, true], rows: [["s", "a0"]] },
    { handled: [], rows: [undefined, ["s", "b1"]] },
    { handled: [true], rows: [] },
  ]);
});

test("who asks while as many questions as may be are on their way shares the next one", async () => {
  const { lookups, flights } = asked();
  const first: Promise<Known>[] = [];
  for (const name of ["a", "b", "c", "d"]) {
    first.push(lookups.find(wanted(name, 1, 0)));
    await turn();
  }
  const later = [lookups.find(wanted("e", 1, 0))];
  await turn();
  later.push(lookups.find(wanted("f", 1, 0)));
  await turn();
  assertEquals(flights.map(({ keys }) => keys.length), [1, 1, 1, 1]);
  flights[2]?.answer([]);
  assertEquals(await first[2], { handled: [false], rows: [] });
  await turn();
  assertEquals(flights.map(({ keys }) => keys.length), [1, 1, 1, 1, 2]);
  flights[4]?.answer([[2, null]]);
  assertEquals((await Promise.all(later)).map(({ handled }) => handled), [[false], [true]]);
  // There is room: the next is asked at once.
  void lookups.find(wanted("g", 1, 0));
  await turn();
  assertEquals(flights.length, 6);
});

test("a question that fails, fails for those who shared it, and for nobody else", async () => {
  const { lookups, flights } = asked();
  const shared = [wanted("a", 1, 0), wanted("b", 1, 1)].map((each) => lookups.find(each));
  await turn();
  const later = lookups.find(wanted("c", 1, 0));
  flights[0]?.fail(new Error("lost"));
  for (const each of shared) await assertRejects(() => each, Error, "lost");
  await turn();
  flights[1]?.answer([[1, null]]);
  assertEquals(await later, { handled: [true], rows: [] });
});

function sagaRow(id: string, version = 1): SagaRow {
  return {
    saga: "order",
    id,
    incarnation: `${id} i`,
    version,
    schema: 1,
    state: `v${version}`,
    data: new TextEncoder().encode("{}"),
    types: undefined,
    index: {},
  };
}

onPostgres("instances that units will load are looked up with their inbox, in one flight", async (opened) => {
  const { store, texts } = await opened.watched();
  const ids = ["a", "b", "c"];
  const first = await store.begin(opened.scope());
  await first.commit(
    opened.changes({ sagas: ids.slice(0, 2).map((id) => ({ before: undefined, after: sagaRow(id) })) }),
  );
  texts.length = 0;
  const units = await Promise.all(
    ids.map((id) => store.begin(opened.scope({ inbox: [opened.key(id)], instances: () => [{ saga: "order", id }] }))),
  );
  const loaded = await Promise.all(units.map((unit, at) => unit.load("order", ids[at]!, false)));
  assertEquals(loaded.map((row) => row?.id), ["a", "b", undefined]);
  assertEquals(loaded[0], sagaRow("a"));
  assertEquals(texts.length, 1, "More than one question was asked");
  // What was not said is looked for.
  assertEquals((await units[0]!.load("order", "b", false))?.id, "b");
  assertEquals(await units[0]!.load("other", "a", false), undefined);
  assertEquals(texts.length, 3);
  for (const unit of units) await unit.rollback();
});

onPostgres(
  "an instance that was looked up is as it was when its unit began: the commit finds what has changed since",
  async (opened) => {
    const store = await opened.store();
    const commit = async (before: SagaRow | undefined, after: SagaRow): Promise<void> => {
      const unit = await store.begin(opened.scope());
      await unit.commit(opened.changes({ sagas: [{ before, after }] }));
    };
    await commit(undefined, sagaRow("a"));
    const hinted = (id: string) => store.begin(opened.scope({ instances: () => [{ saga: "order", id }] }));
    const [changed, made, locking] = [await hinted("a"), await hinted("b"), await hinted("a")];
    await commit(sagaRow("a"), sagaRow("a", 2));
    await commit(undefined, sagaRow("b"));
    assertEquals((await changed.load("order", "a", false))?.version, 1);
    await assertRejects(
      () => changed.commit(opened.changes({ sagas: [{ before: sagaRow("a"), after: sagaRow("a", 2) }] })),
      ConflictError,
    );
    assertEquals(await made.load("order", "b", false), undefined);
    await assertRejects(
      () => made.commit(opened.changes({ sagas: [{ before: undefined, after: sagaRow("b") }] })),
      ConflictError,
    );
    // Whoever locks it wants to know how it is now.
    assertEquals((await locking.load("order", "a", true))?.version, 2);
    await locking.commit(opened.changes({ sagas: [{ before: sagaRow("a", 2), after: sagaRow("a", 3) }] }));
  },
);
