/** The inbox of one endpoint, in memory. */
import { assertEquals, assertRejects } from "@std/assert";
import { NumberedKey } from "../../../src/envelope/inbox_key.ts";
import type { InboxKey } from "../../../src/spi/rows.ts";
import { createUuidV7, type Uuid } from "../../../src/values/uuid_v7.ts";
import { Inbox } from "../../../stores/memory/inbox.ts";
import { test } from "../../support/runner.ts";

const scope = { signal: new AbortController().signal };
const key = (id: string, keepUntil = 0, uuid?: Uuid, deferral = 0): InboxKey =>
  new NumberedKey("endpoint", id, deferral, keepUntil, uuid);
const unit = (awaited: () => void = () => {}) => ({ awaited });

test("inbox: a message is one unit's at a time, and who waited longest has it next", async () => {
  const inbox = new Inbox();
  const told: string[] = [];
  assertEquals(inbox.enter(key("m"), unit(() => told.push("first")), scope), true);
  const second = inbox.enter(key("m"), unit(() => told.push("second")), scope);
  const third = inbox.enter(key("m"), unit(), scope);
  inbox.leave("m#0");
  assertEquals(await second, true);
  assertEquals(told, ["first", "first", "second"]);
  inbox.leave("m#0");
  assertEquals(await third, true);
  inbox.leave("m#0");
  assertEquals(inbox.enter(key("m"), unit(), scope), true);
});

test("inbox: once it is handled, nobody has it any more, and it is known to be", async () => {
  const inbox = new Inbox();
  assertEquals(inbox.enter(key("m"), unit(), scope), true);
  const waiting = [inbox.enter(key("m"), unit(), scope), inbox.enter(key("m"), unit(), scope)];
  inbox.record(key("m", 10));
  assertEquals(await Promise.all(waiting), [false, false]);
  assertEquals(inbox.enter(key("m"), unit(), scope), false);
  assertEquals(inbox.size, 1);
});

test("inbox: a wait ends with its signal, and the message passes to the next", async () => {
  const inbox = new Inbox();
  const abort = new AbortController();
  assertEquals(inbox.enter(key("m"), unit(), scope), true);
  const given = inbox.enter(key("m"), unit(), abort);
  const next = inbox.enter(key("m"), unit(), scope);
  const reason = new Error("given up");
  abort.abort(reason);
  assertEquals(await assertRejects(async () => await given), reason);
  inbox.leave("m#0");
  assertEquals(await next, true);
});

test("inbox: who is waited for may end at once, and is then not waited for", () => {
  const inbox = new Inbox();
  assertEquals(inbox.enter(key("m"), unit(() => inbox.leave("m#0")), scope), true);
  assertEquals(inbox.enter(key("m"), unit(), scope), true);
});

test("inbox: forgets what is past its time, in whatever order the times came, and no more than it is asked to", () => {
  const inbox = new Inbox();
  const times = [50, 10, 60, 20, 70, 30, 60];
  for (const [at, time] of times.entries()) {
    inbox.enter(key(String(at)), unit(), scope);
    inbox.record(key(String(at), time));
  }
  assertEquals(inbox.sweep(10, 10), 0);
  assertEquals(inbox.sweep(10, 21), 2);
  assertEquals(times.map((_, at) => inbox.enter(key(String(at)), unit(), scope)), [
    false,
    true,
    false,
    true,
    false,
    false,
    false,
  ]);
  assertEquals(inbox.sweep(2, 100), 2);
  assertEquals(inbox.sweep(10, 100), 3);
  assertEquals(inbox.size, 0);
});

test("inbox: a message that is known by its number is the one that is known by its text", () => {
  let now = 0;
  const newId = createUuidV7({ now: () => 1_000 + (now++ >> 2) });
  const inbox = new Inbox();
  const others: InboxKey[] = [];
  for (let at = 0; at < 2_000; at++) {
    const id = newId();
    const both = [key(id, 10), key(id, 10, newId.last())] as const;
    const [first, second] = at % 2 === 0 ? both : both.toReversed();
    assertEquals(inbox.enter(first!, unit(), scope), true);
    inbox.record(first!);
    others.push(second!);
  }
  assertEquals(others.filter((other) => inbox.enter(other, unit(), scope) !== false), []);
  assertEquals(inbox.sweep(Infinity, 11), 2_000);
  assertEquals(others.filter((other) => inbox.enter(other, unit(), scope) !== true), []);
});

test("inbox: a message that was put off is another than it was before, also where its number is known", () => {
  const newId = createUuidV7({ now: () => 1_000 });
  const inbox = new Inbox();
  const id = newId();
  const keys = [0, 1, 2].map((deferral) => key(id, 10, newId.last(), deferral));
  for (const each of keys) {
    assertEquals(inbox.enter(each, unit(), scope), true);
    inbox.record(each);
    assertEquals(inbox.enter(each, unit(), scope), false);
  }
  assertEquals(inbox.size, 3);
});

test("inbox: one whose time is before that of others is kept by its text, and known by its number", () => {
  const newId = createUuidV7({ now: () => 1_000 });
  const inbox = new Inbox();
  const keys = [20, 10].map((keepUntil) => key(newId(), keepUntil, newId.last()));
  for (const each of keys) {
    inbox.enter(each, unit(), scope);
    inbox.record(each);
  }
  assertEquals(keys.map((each) => inbox.enter(each, unit(), scope)), [false, false]);
  assertEquals(inbox.sweep(10, 11), 1);
  assertEquals(keys.map((each) => inbox.enter(each, unit(), scope)), [false, true]);
});
