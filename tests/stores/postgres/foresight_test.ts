/** What is asked ahead: rarely, and believed no longer than it may be. */
import { assertEquals, assertRejects } from "@std/assert";
import { DuplicateError } from "../../../src/errors/store.ts";
import type { InboxKey } from "../../../src/spi/rows.ts";
import { Foresight } from "../../../stores/postgres/foresight.ts";
import { test } from "../../support/runner.ts";
import { onPostgres } from "./opened.ts";

/** Foresight whose questions wait until somebody answers them, and whose clock a test sets. */
function asked() {
  const clock = { now: 1_000 };
  const flights: {
    readonly ids: readonly string[];
    readonly answer: (handled: readonly number[]) => void;
    readonly fail: (error: Error) => void;
  }[] = [];
  const foresight = new Foresight((messages) => {
    const { promise, resolve, reject } = Promise.withResolvers<ReadonlySet<number>>();
    const ids = messages.map(({ messageId }) => messageId);
    flights.push({ ids, answer: (handled) => resolve(new Set(handled)), fail: reject });
    return promise;
  }, () => clock.now);
  const expect = (...ids: readonly string[]): void => {
    for (const messageId of ids) foresight.expect(messageId, { bus: "app", endpoint: "e", messageId });
    foresight.look();
  };
  return { foresight, flights, clock, expect };
}
/** Lets what was answered come through. */
async function turn(): Promise<void> {
  for (let hops = 0; hops < 8; hops++) await undefined;
}

test("what waits is asked about in one question, and each unit takes its own answer, once", async () => {
  const { foresight, flights, expect } = asked();
  expect("a", "b", "c");
  expect("b");
  assertEquals(flights.map(({ ids }) => ids), [["a", "b", "c"]]);
  const early = foresight.take("a");
  flights[0]?.answer([1, 3]);
  assertEquals(await early, true);
  await turn();
  assertEquals([foresight.take("b"), foresight.take("c")], [false, true], "they are there, and need no promise");
  assertEquals([foresight.take("a"), foresight.take("b"), foresight.take("never")], [undefined, undefined, undefined]);
});

test("there is one question at a time, and none while more is known than is not", async () => {
  const { foresight, flights, expect } = asked();
  expect("a", "b", "c", "d");
  expect("e", "f", "g");
  assertEquals(flights.length, 1, "the first is under way");
  flights[0]?.answer([]);
  await turn();
  assertEquals(flights.length, 1, "four are known, three are not");
  foresight.take("a");
  assertEquals(flights.length, 1, "three are known, three are not");
  foresight.take("b");
  assertEquals(flights.map(({ ids }) => ids.length), [4, 3]);
});

test("what begins before it was asked about asks itself, and is not asked about any more", async () => {
  const { foresight, flights, expect } = asked();
  expect("a");
  expect("b", "c");
  assertEquals(foresight.take("b"), undefined);
  flights[0]?.answer([]);
  await turn();
  foresight.take("a");
  assertEquals(flights.map(({ ids }) => ids), [["a"], ["c"]]);
});

test("an answer is believed for 100 ms from when the question was asked", async () => {
  const { foresight, flights, clock, expect } = asked();
  expect("a", "b", "c");
  clock.now += 90;
  flights[0]?.answer([]);
  await turn();
  clock.now += 10;
  assertEquals(foresight.take("a"), false);
  clock.now += 1;
  assertEquals(foresight.take("b"), undefined);
  // What nobody goes by keeps nobody from asking, and is not kept.
  expect("d");
  assertEquals(flights.map(({ ids }) => ids), [["a", "b", "c"], ["d"]]);
  clock.now -= 1;
  assertEquals(foresight.take("c"), undefined);
});

test("an answer is taken at once only where it is there and believed; else it stays for who waits", async () => {
  const { foresight, flights, clock, expect } = asked();
  expect("a", "b", "c");
  assertEquals([foresight.takeNow("a"), foresight.takeNow("never")], [undefined, undefined]);
  flights[0]?.answer([1]);
  await turn();
  assertEquals([foresight.takeNow("a"), foresight.takeNow("a")], [true, undefined]);
  assertEquals(foresight.takeNow("b"), false);
  clock.now += 101;
  assertEquals(foresight.takeNow("c"), undefined);
  assertEquals(flights.length, 1);
});

test("an answer that is taken at once makes room for the next question", async () => {
  const { foresight, flights, expect } = asked();
  expect("a");
  flights[0]?.answer([]);
  await turn();
  expect("b");
  assertEquals(flights.length, 1, "one is known, one is not");
  foresight.takeNow("a");
  assertEquals(flights.map(({ ids }) => ids), [["a"], ["b"]]);
});

test("a question that fails leaves it to each unit to ask, and the next question is asked", async () => {
  const { foresight, flights, expect } = asked();
  expect("a", "b");
  const early = foresight.take("a");
  flights[0]?.fail(new Error("lost"));
  assertEquals(await early, undefined);
  await turn();
  assertEquals(foresight.takeNow("b"), undefined);
  assertEquals(foresight.take("b"), undefined);
  expect("c");
  assertEquals(flights.length, 2);
});

onPostgres("units of foreseen messages ask nothing, whether they were handled or not", async (opened) => {
  const { store, texts } = await opened.watched();
  const [handled, fresh, other] = [opened.key("handled"), opened.key("fresh"), opened.key("other")];
  await (await store.begin(opened.scope({ inbox: [handled] }))).commit(opened.changes({}));
  texts.length = 0;
  store.foresee?.(opened.bus, [handled, fresh, other]);
  const units = [
    await store.begin(opened.scope({ inbox: [handled] })),
    await store.begin(opened.scope({ inbox: [fresh, other] })),
  ];
  assertEquals(units.map(({ duplicates }) => duplicates), [[true], [false, false]]);
  assertEquals(texts.length, 1, "one question for all");
  for (const unit of units) await unit.rollback();
  assertEquals((await store.begin(opened.scope({ inbox: [handled] }))).duplicates, [true]);
  assertEquals(texts.length, 2, "an answer is for one unit");
});

onPostgres("a unit of one foreseen message begins within the call, once the answer is there", async (opened) => {
  const { store } = await opened.watched();
  const [handled, fresh, other] = [opened.key("handled"), opened.key("fresh"), opened.key("other")];
  await (await store.begin(opened.scope({ inbox: [handled] }))).commit(opened.changes({}));
  const begun = (...inbox: readonly InboxKey[]) => store.beginNow?.(opened.scope({ inbox }));
  // A machine that is slow enough no longer believes an answer when it is there.
  const known = async (key: InboxKey) => {
    for (;;) {
      store.foresee?.(opened.bus, [key, other]);
      assertEquals(
        store.beginNow?.(opened.scope({ inbox: [key], instances: () => [] })),
        undefined,
        "it may have to load",
      );
      assertEquals([begun(), begun(key, other)], [undefined, undefined], "of none, and of several");
      await store.lease("an answer", "later than that", 1);
      const unit = begun(key);
      if (unit !== undefined) return unit;
    }
  };
  assertEquals(begun(fresh), undefined, "nobody has asked");
  const first = await known(handled);
  const second = await known(fresh);
  assertEquals([first.duplicates, second.duplicates], [[true], [false]]);
  assertEquals(begun(fresh), undefined, "another unit has it");
  const next = store.begin(opened.scope({ inbox: [fresh] }));
  await second.commit(opened.changes({}));
  assertEquals((await next).duplicates, [true], "it has waited");
  assertEquals(begun(fresh), undefined, "an answer is for one unit");
  for (const each of [first, await next]) await each.rollback();
});

onPostgres(
  "what another process handles after it was foreseen is found by the commit",
  async (opened) => {
    const [mine, theirs] = [await opened.store(), await opened.store()];
    const keys = ["a", "b"].map((id) => opened.key(id));
    mine.foresee?.(opened.bus, keys);
    // Known by now: it was asked before.
    const first = await mine.begin(opened.scope({ inbox: [keys[0]!] }));
    await first.rollback();
    const elsewhere = await theirs.begin(opened.scope({ inbox: keys }));
    await elsewhere.commit(opened.changes({}));
    const second = await mine.begin(opened.scope({ inbox: [keys[1]!] }));
    // A machine that is slow enough makes it ask again.
    if (second.duplicates[0] === true) return;
    await assertRejects(() => second.commit(opened.changes({})), DuplicateError);
  },
);

onPostgres("a store that is not open, or not any more, foresees nothing", async (opened) => {
  const store = opened.bench.store();
  store.foresee?.(opened.bus, [opened.key("a")]);
  await opened.open(store);
  await store.close();
  store.foresee?.(opened.bus, [opened.key("a")]);
});
