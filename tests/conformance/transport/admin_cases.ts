/** What operators do. */
import { assert, assertEquals, assertExists } from "@std/assert";
import type { Admin, Delivery } from "../../../src/spi/transport.ts";
import { Inbox, text } from "./inbox.ts";
import type { Applies, TransportCase, Trial } from "./trial.ts";

const applies: Applies = (_, { connect }) => connect().admin !== undefined;

function admin(trial: Trial): Admin {
  assertExists(trial.transport.admin);
  return trial.transport.admin;
}

async function filled(trial: Trial, count: number): Promise<string> {
  const queue = await trial.queue();
  await trial.sendAll(`queue:${queue}`, Array.from({ length: count }, (_, at) => ({ text: String(at), key: "k" })));
  return queue;
}

async function take(trial: Trial, queue: string, credit: number): Promise<Inbox & { readonly done: Promise<void> }> {
  const inbox = new Inbox(credit, trial.violations, () => trial.clock.now());
  const receiver = await admin(trial).take(queue, inbox, credit);
  inbox.receiver = receiver;
  return Object.assign(inbox, { done: receiver.done });
}

/** Looking is no delivery, where the transport counts only what was one. */
function countsNone(trial: Trial, some: readonly Delivery[]): void {
  if (trial.has.uncounted === true) { for (const { deliveryCount = 1 } of some) assertEquals(deliveryCount, 1); }
}

const numbers = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => String(at));

export const adminCases: readonly TransportCase[] = [
  {
    name: "counting tells what waits, and what is in flight and due later if at all",
    applies,
    async run(trial) {
      const queue = await filled(trial, 5);
      const inbox = await trial.receive(queue, { credit: 2 });
      await trial.came(inbox, 2);
      if (trial.has.delay !== false) await trial.send(`queue:${queue}`, { dueAt: trial.clock.now() + 86_400_000 });
      const { waiting, active, delayed } = await admin(trial).count(queue);
      assertEquals(waiting, 3);
      assert(active === undefined || active === 2, `${active} active`);
      assert(delayed === undefined || delayed === (trial.has.delay === false ? 0 : 1), `${delayed} delayed`);
      await inbox.accept();
    },
  },
  {
    name: "browsing gives each once, page by page, and takes nothing",
    applies,
    async run(trial) {
      const queue = await filled(trial, 25);
      for (const limit of [1, 7, 25, 100]) {
        const seen: string[] = [];
        let from: string | undefined;
        do {
          const page = await admin(trial).browse(queue, from, limit);
          assert(page.items.length <= limit, `${page.items.length} on a page of ${limit}`);
          seen.push(...page.items.map(text));
          countsNone(trial, page.items);
          from = page.next;
        } while (from !== undefined);
        assertEquals(seen, numbers(25));
      }
      const inbox = await trial.receive(queue);
      inbox.acceptAll();
      await trial.came(inbox, 25);
      countsNone(trial, inbox.received);
    },
  },
  {
    name: "browsing an empty queue gives nothing",
    applies,
    async run(trial) {
      assertEquals(await admin(trial).browse(await trial.queue(), undefined, 10), { items: [], next: undefined });
    },
  },
  {
    name: "what was browsed cannot be settled",
    applies,
    async run(trial) {
      const queue = await filled(trial, 1);
      const { items: [browsed] } = await admin(trial).browse(queue, undefined, 1);
      const inbox = await trial.receive(queue);
      await trial.came(inbox, 1);
      await inbox.receiver.settle([{ delivery: browsed!, outcome: "accept" }]);
      await inbox.settle({ outcome: "release" });
      await trial.came(inbox, 2);
    },
  },
  {
    name: "taking gives what was there once, even what is released, and ends",
    applies,
    async run(trial) {
      const queue = await filled(trial, 10);
      const other = await trial.queue();
      const taken = await take(trial, queue, 3);
      taken.handle((delivery) => {
        const even = Number(text(delivery)) % 2 === 0;
        queueMicrotask(() =>
          void (even
            ? taken.settle({ outcome: "release" }, [delivery])
            : taken.settle({ outcome: "move", to: `queue:${other}`, headers: {} }, [delivery]))
        );
      });
      await trial.send(`queue:${queue}`, { text: "later", key: "k" });
      let done = false;
      void taken.done.then(() => done = true);
      await trial.until("the end", () => done);
      assertEquals(taken.texts.toSorted(), numbers(10));
      assertEquals((await trial.left(queue, 6)).toSorted(), ["0", "2", "4", "6", "8", "later"]);
      assertEquals((await trial.left(other, 5)).toSorted(), ["1", "3", "5", "7", "9"]);
    },
  },
  {
    name: "taking from an empty queue ends at once",
    applies,
    async run(trial) {
      const taken = await take(trial, await trial.queue(), 3);
      let done = false;
      void taken.done.then(() => done = true);
      await trial.until("the end", () => done);
      assertEquals(taken.received.length, 0);
    },
  },
  {
    name: "taking gives nothing that was sent after it had begun",
    applies,
    async run(trial) {
      const queue = await filled(trial, 1);
      const taken = await take(trial, queue, 5);
      await trial.came(taken, 1);
      await trial.quiet();
      await trial.sendAll(`queue:${queue}`, [{ text: "after" }, { text: "after" }]);
      await trial.quiet();
      assertEquals(taken.texts, ["0"]);
      await taken.accept();
      await taken.done;
      assertEquals(await trial.left(queue, 2), ["after", "after"]);
    },
  },
  {
    name: "taking that is stopped leaves the rest",
    applies,
    async run(trial) {
      const queue = await filled(trial, 10);
      const taken = await take(trial, queue, 4);
      await trial.came(taken, 4);
      await taken.stop();
      await taken.accept();
      await trial.quiet();
      assertEquals(await trial.left(queue, 6), numbers(10).slice(4));
    },
  },
  {
    name: "purging takes what is not in flight, and tells how many",
    applies,
    async run(trial) {
      const queue = await filled(trial, 5);
      const inbox = await trial.receive(queue, { credit: 2 });
      await trial.came(inbox, 2);
      const held: readonly Delivery[] = inbox.unsettled;
      assertEquals(await admin(trial).purge(queue), 3);
      assertEquals(await admin(trial).purge(queue), 0);
      await inbox.settle({ outcome: "release" }, held);
      await trial.came(inbox, 4);
      await inbox.accept();
      assertEquals(inbox.texts.toSorted(), ["0", "0", "1", "1"]);
    },
  },
  {
    name: "what was due later, and is due, waits like any other: it is counted, and purged",
    applies: (has, under) => has.delay !== false && applies(has, under),
    async run(trial) {
      const queue = await trial.queue();
      const count = 600;
      const dueAt = trial.clock.now() + 1_000;
      await trial.sendAll(`queue:${queue}`, [
        ...Array.from({ length: count }, () => ({ dueAt })),
        { text: "much later", dueAt: dueAt + 86_400_000 },
      ]);
      await trial.clock.pass(1_500);
      let waiting = 0;
      for (let tries = 0; tries < 50 && waiting < count; tries++) {
        ({ waiting } = await admin(trial).count(queue));
        if (waiting < count) await trial.quiet();
      }
      assertEquals(waiting, count);
      assertEquals(await admin(trial).purge(queue), count);
      const { waiting: left, delayed } = await admin(trial).count(queue);
      assertEquals(left, 0);
      assert(delayed === undefined || delayed === 1, `${delayed} delayed`);
    },
  },
  {
    name: "a key that is sent to while its queue is purged is not stuck",
    applies: (has, under) => has.order === "key" && applies(has, under),
    async run(trial) {
      const queue = await trial.orderedQueue();
      await trial.sendAll(`queue:${queue}`, numbers(1_100).map((text) => ({ text, key: "k" })));
      const inbox = await trial.receive(queue, { ordered: true, credit: 0 });
      let purging = true;
      const purged = admin(trial).purge(queue).finally(() => purging = false);
      // Purged with the others or not.
      while (purging) await trial.send(`queue:${queue}`, { text: "meanwhile", key: "k" });
      await purged;
      await trial.send(`queue:${queue}`, { text: "after", key: "k" });
      inbox.allowed = 100;
      inbox.receiver.credit(100);
      inbox.acceptAll();
      await trial.until("what was sent after", () => inbox.texts.includes("after"));
      assert(inbox.texts.every((each) => each === "meanwhile" || each === "after"), `${inbox.texts} came`);
    },
  },
  {
    name: "what has expired while it waited is neither counted, nor browsed, nor taken",
    applies: (has, under) => has.expiry && under.tellsExpired === true && applies(has, under),
    async run(trial) {
      const queue = await trial.queue();
      const expiresAt = trial.clock.now() + 500;
      await trial.sendAll(`queue:${queue}`, [{ text: "expired", expiresAt }, { text: "kept" }]);
      await trial.clock.pass(1_000);
      assertEquals((await admin(trial).count(queue)).waiting, 1);
      assertEquals((await admin(trial).browse(queue, undefined, 10)).items.map(text), ["kept"]);
      const taken = await take(trial, queue, 10);
      taken.acceptAll();
      await taken.done;
      assertEquals(taken.texts, ["kept"]);
    },
  },
];
