/** The inbox of one endpoint, in memory. */
import { assertEquals, assertRejects } from "@std/assert";
import { Inbox } from "../../../stores/memory/inbox.ts";
import { test } from "../../support/runner.ts";

const scope = { signal: new AbortController().signal };
const unit = (awaited: () => void = () => {}) => ({ awaited });

test("inbox: a message is one unit's at a time, and who waited longest has it next", async () => {
  const inbox = new Inbox();
  const told: string[] = [];
  assertEquals(inbox.enter("m", unit(() => told.push("first")), scope), true);
  const second = inbox.enter("m", unit(() => told.push("second")), scope);
  const third = inbox.enter("m", unit(), scope);
  inbox.leave("m");
  assertEquals(await second, true);
  assertEquals(told, ["first", "first", "second"]);
  inbox.leave("m");
  assertEquals(await third, true);
  inbox.leave("m");
  assertEquals(inbox.enter("m", unit(), scope), true);
});

test("inbox: once it is handled, nobody has it any more, and it is known to be", async () => {
  const inbox = new Inbox();
  assertEquals(inbox.enter("m", unit(), scope), true);
  const waiting = [inbox.enter("m", unit(), scope), inbox.enter("m", unit(), scope)];
  inbox.record("m", 10);
  assertEquals(await Promise.all(waiting), [false, false]);
  assertEquals(inbox.enter("m", unit(), scope), false);
  assertEquals(inbox.size, 1);
});

test("inbox: a wait ends with its signal, and the message passes to the next", async () => {
  const inbox = new Inbox();
  const abort = new AbortController();
  assertEquals(inbox.enter("m", unit(), scope), true);
  const given = inbox.enter("m", unit(), abort);
  const next = inbox.enter("m", unit(), scope);
  const reason = new Error("given up");
  abort.abort(reason);
  assertEquals(await assertRejects(async () => await given), reason);
  inbox.leave("m");
  assertEquals(await next, true);
});

test("inbox: who is waited for may end at once, and is then not waited for", () => {
  const inbox = new Inbox();
  assertEquals(inbox.enter("m", unit(() => inbox.leave("m")), scope), true);
  assertEquals(inbox.enter("m", unit(), scope), true);
});

test("inbox: forgets what is past its time, in whatever order the times came, and no more than it is asked to", () => {
  const inbox = new Inbox();
  const times = [50, 10, 60, 20, 70, 30, 60];
  for (const [at, time] of times.entries()) {
    inbox.enter(String(at), unit(), scope);
    inbox.record(String(at), time);
  }
  assertEquals(inbox.sweep(10, 10), 0);
  assertEquals(inbox.sweep(10, 21), 2);
  assertEquals(times.map((_, at) => inbox.enter(String(at), unit(), scope)), [
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
