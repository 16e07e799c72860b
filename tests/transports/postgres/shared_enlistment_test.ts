/** Units that are enlisted share a commit, and are told their own outcomes. */
import { assert, assertEquals } from "@std/assert";
import { ClaimLostError } from "../../../src/errors/receiving.ts";
import { UnroutableError } from "../../../src/errors/sending.ts";
import { DuplicateError, OutcomeUnknownError, TransactionEndedError } from "../../../src/errors/store.ts";
import type { Outgoing } from "../../../src/spi/transport.ts";
import { changes } from "../../conformance/store/trial.ts";
import { text } from "../../conformance/transport/inbox.ts";
import { all, begin, but, letters, refused, sharing } from "./sharing.ts";

sharing("units that are ready at once share commits, with their messages, in order, handed over", async (sharing) => {
  const { rig, transport, inbox } = sharing;
  const out = await rig.receive(transport, "out");
  await rig.hungry(out);
  await sharing.begin();
  await sharing.write((each) => [sharing.out(`${each}1`), sharing.out(`${each}2`)]);
  assertEquals(await sharing.commit(), letters.map(() => undefined));
  assert(await sharing.commits() <= 2, `${await sharing.commits()} commits for 8 units`);
  assertEquals(out.texts.toSorted(), letters.flatMap((each) => [`${each}1`, `${each}2`]));
  for (const each of letters) assert(out.texts.indexOf(`${each}1`) < out.texts.indexOf(`${each}2`), each);
  await out.accept();
  assertEquals(await sharing.seen(), { in: "", out: "", inbox: all });
  await inbox.receiver.settle(inbox.unsettled.map((delivery) => ({ delivery, outcome: "release" }))); // settled already
  assertEquals(inbox.received.length, letters.length);
});

sharing("what share a commit may be units that only accept, or only send", async (sharing) => {
  const { rig, store, transport } = sharing;
  await sharing.begin();
  await sharing.write(() => []);
  const free = await Promise.all(letters.map(async (each) => {
    const unit = await begin(store, each, { inbox: [] });
    await transport.enlist?.(unit.tx, undefined)?.send([sharing.out(each)]);
    return unit;
  }));
  const [outcomes] = await Promise.all([sharing.commit(), ...free.map((unit) => unit.commit(changes({})))]);
  assertEquals(outcomes, letters.map(() => undefined));
  assert(await sharing.commits() <= 2);
  assertEquals(await sharing.seen(), { in: "", out: all, inbox: all });
  const [row] = await rig.select("SELECT count(DISTINCT xmin::text)::int AS n FROM hero_queue_messages");
  assert(Number(row?.["n"]) <= 2, `${row?.["n"]} commits for 8 that send`);
});

sharing("of units that share a commit, one that was handled elsewhere is refused alone", async (sharing) => {
  const other = await sharing.rig.store();
  await sharing.begin();
  await sharing.write();
  const theirs = await begin(other, "c");
  await theirs.commit(changes({}));
  assertEquals(refused(await sharing.commit(), DuplicateError), "c");
  assertEquals(await sharing.seen(), { in: "c", out: but("c"), inbox: all });
  await sharing.inbox.accept(sharing.units.filter((_, at) => at === 2).map(({ delivery }) => delivery));
  assertEquals((await sharing.seen())["in"], "");
});

sharing("of units that share a commit, one whose lease has ended is refused alone", async (sharing) => {
  await sharing.begin();
  await sharing.write();
  await sharing.rig.select(
    "UPDATE hero_queue_messages SET deliveries = deliveries + 1, leased_until = 9e15 WHERE body = 'e'::bytea",
  );
  assertEquals(refused(await sharing.commit(), ClaimLostError), "e");
  assertEquals(await sharing.seen(), { in: "e", out: but("e"), inbox: but("e") });
});

sharing("who has lost a message to another, which handles it, waits for nobody", async (sharing) => {
  const { rig } = sharing;
  await sharing.begin();
  await sharing.write();
  const other = await rig.store();
  const theirs = await begin(other, "d");
  await theirs.tx`SELECT 1`; // it has the inbox record from here on
  await rig.select(
    "UPDATE hero_queue_messages SET deliveries = deliveries + 1, leased_until = 9e15 WHERE body = 'd'::bytea",
  );
  assertEquals(refused(await sharing.commit(), ClaimLostError), "d");
  assertEquals(await sharing.seen(), { in: "d", out: but("d"), inbox: but("d") });
  await theirs.rollback();
});

sharing(
  "of units that share a commit, one whose queue is gone is refused alone, where it must be taken",
  async (sharing) => {
    const { rig } = sharing;
    await sharing.begin();
    const to = (at: number) => at === 1 || at === 3 ? "queue:more" : "queue:out";
    await sharing.write((each, at) => [sharing.out(each, { to: to(at), mandatory: at !== 3 })]);
    await rig.select("DELETE FROM hero_queue_routes WHERE address = 'queue:more'");
    assertEquals(refused(await sharing.commit(), UnroutableError), "b");
    assertEquals(await sharing.seen(), { in: "b", out: but("b", "d"), inbox: but("b") });
    await sharing.inbox.accept(sharing.units.filter((_, at) => at === 1).map(({ delivery }) => delivery));
  },
);

sharing("what is told of messages that share a commit is theirs, also of unusual ones", async (sharing) => {
  const { rig, transport } = sharing;
  await sharing.begin();
  const expiresAt = Math.floor(rig.clock.now()) + 3_600_000.5; // as whole milliseconds, the one after
  const frame = (contentType: string, each: string, body = each) => ({
    contentType,
    headers: { [each]: each },
    body: new TextEncoder().encode(body),
  });
  const texts = [`"q" \\ {,} NULL`, "line\nbreak\ttab", "NUL \0, \x1a and 😀", "a\x1fb"];
  const some: readonly (readonly Partial<Outgoing>[])[] = [
    [{ priority: 7 }, {}],
    [{ expiresAt }],
    texts.map((each) => ({ frame: frame(each, each), messageId: each })),
    [{ frame: frame("t", "none", "") }],
    [{ messageId: "twice" }, { messageId: "twice" }],
    [{ key: "k" }],
    [{ dueAt: expiresAt }],
    [],
  ];
  await sharing.write((each, at) => some[at]!.map((more) => sharing.out(each, more)));
  assertEquals(await sharing.commit(), letters.map(() => undefined));
  const rows = await rig.select(
    'SELECT -"rank" AS priority, expires_at::float8 AS expires, due_at::float8 AS due, "key", content_type AS type, ' +
      "message_id AS id, length(body) AS size, headers FROM hero_queue_messages WHERE via = 'queue:out'",
  );
  const find = (which: Readonly<Record<string, unknown>>) =>
    rows.filter((row) => Object.entries(which).every(([name, value]) => row[name] === value)).length;
  assertEquals(rows.length, 12);
  assertEquals(find({ priority: 7 }), 1);
  assertEquals(find({ expires: Math.ceil(expiresAt) }), 1);
  assertEquals([find({ id: "twice" }), find({ key: "k" }), find({ due: Math.ceil(expiresAt) }), find({ size: 0 })], [
    2,
    1,
    1,
    1,
  ]);
  const out = await rig.receive(transport, "out");
  await rig.came(out, 11);
  const came = out.received.map(({ frame: { contentType, headers, body } }) => ({ contentType, headers, body }));
  for (const each of texts) {
    assertEquals(came.find(({ contentType }) => contentType === each), frame(each, each));
  }
  await out.accept();
});

sharing("a connection that is lost while it commits leaves nobody knowing, and each is done once", async (sharing) => {
  const { rig } = sharing;
  await sharing.begin();
  await sharing.write();
  await using locked = await sharing.lockInbox();
  const committing = sharing.commit();
  await rig.until("commits that wait", async () => (await sharing.waiting()).length === 2);
  const waiting = await sharing.waiting();
  await rig.select(`SELECT ${waiting.map((pid) => `pg_terminate_backend(${pid})`).join(", ")}`);
  assertEquals(refused(await committing, OutcomeUnknownError), all);
  await locked[Symbol.asyncDispose]();
  assertEquals(await sharing.seen(), { in: all, out: "", inbox: "" });
  // What they have is theirs as before: whoever tries again asks the inbox.
  await sharing.begin();
  assertEquals(sharing.units.map(({ unit }) => unit.duplicates), letters.map(() => [false]));
  await sharing.write();
  assertEquals(await sharing.commit(), letters.map(() => undefined));
  assertEquals(await sharing.seen(), { in: "", out: all, inbox: all });
});

sharing(
  "a unit that is given up before its commit is on its way writes nothing; after that it is too late",
  async (sharing) => {
    const { rig, store, transport, inbox } = sharing;
    const [early, late] = [new AbortController(), new AbortController()];
    await using locked = await sharing.lockInbox();
    const committing: Promise<unknown>[] = [];
    for (const [at, delivery] of inbox.unsettled.slice(0, 3).entries()) {
      const unit = await begin(store, text(delivery), { signal: at === 2 ? early.signal : late.signal });
      const enlistment = transport.enlist?.(unit.tx, inbox.receiver);
      await enlistment?.send([sharing.out(text(delivery))]);
      await enlistment?.settle([{ delivery, outcome: "accept" }]);
      committing.push(unit.commit(changes({})).catch((error) => error));
      if (at < 2) await rig.until("a commit that waits", async () => (await sharing.waiting()).length > at);
    }
    early.abort(new Error("given up"));
    late.abort(new Error("too late"));
    await locked[Symbol.asyncDispose]();
    const [first, second, third] = await Promise.all(committing);
    assertEquals([first, second], [[], []]);
    assert(third instanceof TransactionEndedError, String(third));
    assertEquals(await sharing.seen(), { in: but("a", "b"), out: "a b", inbox: "a b" });
    // What was accepted is no longer held, and what was given up is.
    await inbox.settle({ outcome: "release", untouched: true });
    inbox.allowed = 20;
    await rig.came(inbox, 14);
    assertEquals(inbox.texts.slice(8), letters.slice(2));
    await inbox.accept();
  },
);

sharing(
  "a transport that closes while commits are on their way loses nothing, and hands over to others",
  async (sharing) => {
    const { rig, transport, inbox } = sharing;
    const out = await rig.receive(transport, "out");
    await rig.hungry(out);
    await sharing.begin();
    await sharing.write();
    await using locked = await sharing.lockInbox();
    const committing = sharing.commit();
    await rig.until("commits that wait", async () => (await sharing.waiting()).length === 2);
    const closing = transport.close(rig.clock.now());
    await locked[Symbol.asyncDispose]();
    const outcomes = await committing;
    await closing;
    for (const each of [inbox, out]) each.closed("close");
    const next = await rig.connect();
    const [left, sent] = [await rig.receive(next, "in"), await rig.receive(next, "out")];
    const done = letters.filter((_, at) => outcomes[at] === undefined);
    await rig.came(sent, done.length);
    await rig.came(left, letters.length - done.length);
    assertEquals([sent.texts.toSorted(), left.texts.toSorted()], [
      done,
      letters.filter((each) => !done.includes(each)),
    ]);
    await Promise.all([left.accept(), sent.accept()]);
  },
);

sharing(
  "what comes again goes alone: who still has its inbox record keeps others waiting no longer",
  async (sharing) => {
    const { rig, inbox } = sharing;
    const other = await rig.store();
    const theirs = await begin(other, "a");
    await theirs.tx`SELECT 1`; // it has the record from here on
    await inbox.settle({ outcome: "release" }, inbox.unsettled.slice(0, 1));
    await rig.came(inbox, letters.length + 1);
    await sharing.begin();
    await sharing.write();
    const committing = sharing.units.map(({ unit }) => unit.commit(changes({})));
    const again = sharing.units.findIndex(({ delivery }) => text(delivery) === "a");
    const [waits] = committing.splice(again, 1);
    await Promise.all(committing);
    assertEquals(await sharing.seen(), { in: "a", out: but("a"), inbox: but("a") });
    await theirs.rollback();
    await waits;
    assertEquals((await sharing.seen())["in"], "");
  },
);

sharing("what has a key shares a commit, unless the order of keys has come to count meanwhile", async (sharing) => {
  const { rig, inbox } = sharing;
  await sharing.begin();
  await sharing.write();
  inbox.receiver.credit(0);
  await rig.send(sharing.transport, "queue:in", { text: "next", key: "k" });
  await rig.select(
    "UPDATE hero_queue_messages SET keeps = true, state = CASE body WHEN 'next' THEN 5 ELSE 2 END " +
      "WHERE body IN ('a', 'b', 'next')",
  );
  const units = sharing.units;
  sharing.units = units.slice(4);
  assertEquals(await sharing.commit(), Array(4).fill(undefined));
  assert(await sharing.commits() <= 2, `${await sharing.commits()} commits for 4 units`);
  sharing.units = units.slice(0, 4);
  assertEquals(await sharing.commit(), Array(4).fill(undefined));
  assertEquals(await sharing.seen(), { in: "next", out: all, inbox: all });
  const [next] = await rig.select("SELECT state FROM hero_queue_messages WHERE via = 'queue:in'");
  assertEquals(next?.["state"], 2); // its turn has come
  await inbox.stop();
}, "k");

sharing("units of many messages share a commit with few", async (sharing) => {
  await sharing.begin();
  await sharing.write((each) => Array.from({ length: 400 }, (_, at) => sharing.out(`${each}${at}`)));
  assertEquals(await sharing.commit(), letters.map(() => undefined));
  assertEquals(await sharing.commits(), 4); // two at a time have less than 1,024
});

sharing(
  "a commit that waits for another process keeps no lease from being renewed but its own",
  async (sharing) => {
    const { rig, store, transport, inbox } = sharing;
    const [first] = inbox.unsettled;
    assert(first !== undefined);
    const theirs = await begin(await rig.store(), "a");
    await theirs.tx`SELECT 1`; // it has the inbox record from here on
    const unit = await begin(store, "a");
    await transport.enlist?.(unit.tx, inbox.receiver)?.settle([{ delivery: first, outcome: "accept" }]);
    const until = async (which: string): Promise<number> => {
      const [row] = await rig.select(
        `SELECT ${which}(leased_until)::float8 AS at FROM hero_queue_messages WHERE body <> 'a'`,
      );
      return Number(row?.["at"]);
    };
    const begun = await until("max");
    const committing = unit.commit(changes({}));
    await rig.until("a commit that waits", async () => (await sharing.waiting()).length > 0);
    await rig.until("leases that are renewed", async () => await until("min") > begun);
    assertEquals(inbox.lostDeliveries.filter((delivery) => delivery !== first), []);
    await theirs.rollback();
    await committing;
    await inbox.accept(inbox.unsettled.filter((delivery) => delivery !== first));
    assertEquals((await sharing.seen())["in"], "");
  },
  undefined,
  "1s",
);
