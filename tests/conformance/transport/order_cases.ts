/** Ordered sources. */
import { assert, assertEquals } from "@std/assert";
import type { Delivery } from "../../../src/spi/transport.ts";
import { type Inbox, text } from "./inbox.ts";
import type { TransportCase, Trial } from "./trial.ts";

/**
 * Settles what comes to any of the inboxes, a turn after it came; tells when two of a key are in flight. The first for
 * which `stuck` holds is held until `free` is called.
 */
function work(
  trial: Trial,
  inboxes: readonly Inbox[],
  stuck: (delivery: Delivery) => boolean = () => false,
): { readonly done: Delivery[]; free(): void } {
  const flying = new Set<string | undefined>();
  const done: Delivery[] = [];
  let free: (() => void) | undefined;
  for (const inbox of inboxes) {
    inbox.handle((delivery) => {
      const { key } = delivery;
      if (flying.has(key)) trial.violations.push(`Two of ${key} in flight`);
      flying.add(key);
      const finish = (): void => {
        flying.delete(key);
        done.push(delivery);
        void inbox.accept([delivery]);
      };
      if (free === undefined && stuck(delivery)) free = finish;
      else queueMicrotask(finish);
    });
  }
  return { done, free: () => free?.() };
}

function inOrder(done: readonly Delivery[]): void {
  for (const key of new Set(done.map((each) => each.key))) {
    const numbers = done.filter((each) => each.key === key).map((each) => Number(text(each)));
    assertEquals(numbers, numbers.toSorted((a, b) => a - b), `The order of ${key}`);
  }
}

export const orderCases: readonly TransportCase[] = [
  {
    name: "of an ordered source's key, one is in flight in all processes, in the order of sending",
    applies: ({ order }) => order !== "none",
    async run(trial) {
      const queue = await trial.orderedQueue();
      const inboxes = [
        await trial.receive(queue, { ordered: true, credit: 10 }),
        await trial.receive(queue, { ordered: true, credit: 10 }),
        await trial.receive(queue, { ordered: true, credit: 10, from: await trial.open() }),
      ];
      await trial.quiet(); // whoever joins later may take over from who was there
      const { done } = work(trial, inboxes);
      await trial.sendAll(
        `queue:${queue}`,
        Array.from({ length: 200 }, (_, at) => ({ text: String(at), key: `key ${at % 7}` })),
      );
      await trial.until("all", () => done.length >= 200);
      await trial.quiet();
      assertEquals(done.length, 200);
      inOrder(done);
    },
  },
  {
    name: "a key that is stuck is not overtaken, and does not hold up the others",
    applies: ({ order }) => order === "key",
    async run(trial) {
      const queue = await trial.orderedQueue();
      await trial.sendAll(
        `queue:${queue}`,
        Array.from({ length: 20 }, (_, at) => ({ text: String(at), key: at % 2 === 0 ? "stuck" : "free" })),
      );
      const inbox = await trial.receive(queue, { ordered: true, credit: 8 });
      const { done, free } = work(trial, [inbox], ({ key }) => key === "stuck");
      await trial.until("the free key", () => done.filter(({ key }) => key === "free").length === 10);
      await trial.quiet();
      assertEquals(done.filter(({ key }) => key === "stuck").length, 0);
      free();
      await trial.until("all", () => done.length === 20);
      inOrder(done);
    },
  },
  {
    name: "what an ordered source releases comes again before what follows it",
    applies: ({ order }) => order !== "none",
    async run(trial) {
      const queue = await trial.orderedQueue();
      await trial.sendAll(`queue:${queue}`, Array.from({ length: 5 }, (_, at) => ({ text: String(at), key: "k" })));
      const inbox = await trial.receive(queue, { ordered: true, credit: 8 });
      const attempts: string[] = [];
      inbox.handle((delivery) => {
        attempts.push(text(delivery));
        const outcome = attempts.length < 3 ? "release" : "accept";
        queueMicrotask(() => void inbox.settle({ outcome }, [delivery]));
      });
      await trial.until("all", () => attempts.length >= 7);
      await trial.quiet();
      assertEquals(attempts, ["0", "0", "0", "1", "2", "3", "4"]);
    },
  },
  {
    name:
      "what an ordered source is to have again later lets the next of its key pass, and waits its turn when it is due",
    applies: ({ order }) => order === "key",
    async run(trial) {
      const queue = await trial.orderedQueue();
      await trial.sendAll(`queue:${queue}`, ["0", "1", "2"].map((text) => ({ text, key: "k" })));
      const inbox = await trial.receive(queue, { ordered: true, credit: 8 });
      await trial.came(inbox, 1);
      const dueAt = trial.clock.now() + 2_000;
      await inbox.settle({ outcome: "again", dueAt, headers: {} });
      await trial.came(inbox, 2);
      assert(inbox.times[1]! < dueAt, "The next has waited for it");
      await trial.clock.pass(Math.max(dueAt + 500 - trial.clock.now(), 0));
      await trial.quiet();
      assertEquals(inbox.texts, ["0", "1"]); // one of the key at a time, also now
      inbox.acceptAll();
      await trial.came(inbox, 4);
      assertEquals(inbox.texts, ["0", "1", "2", "0"]);
    },
  },
  {
    name: "an ordered source keeps to what an unordered one has in flight",
    applies: ({ order }) => order === "key",
    async run(trial) {
      const queue = await trial.queue();
      await trial.sendAll(`queue:${queue}`, [{ text: "0", key: "k" }, { text: "1", key: "k" }, {
        text: "2",
        key: "j",
      }]);
      const first = await trial.receive(queue, { credit: 1 });
      await trial.came(first, 1);
      first.receiver.credit(0);
      const second = await trial.receive(queue, { ordered: true });
      await trial.came(second, 1);
      await trial.quiet();
      assertEquals(second.texts, ["2"]);
      await first.accept();
      await trial.came(second, 2);
      assertEquals(second.texts, ["2", "1"]);
    },
  },
  {
    name: "an unordered source goes on in the order of keys once that counts",
    applies: ({ order }) => order === "key",
    async run(trial) {
      const queue = await trial.queue();
      await trial.sendAll(`queue:${queue}`, ["0", "1", "2"].map((text) => ({ text, key: "k" })));
      const first = await trial.receive(queue, { credit: 1 });
      await trial.came(first, 1);
      await trial.receive(queue, { ordered: true, credit: 0 });
      await trial.quiet();
      first.acceptAll();
      await trial.came(first, 3);
      assertEquals(first.texts, ["0", "1", "2"]);
    },
  },
  {
    name: "what has expired lets the next of its key come",
    applies: ({ order, expiry }) => order === "key" && expiry,
    async run(trial) {
      const queue = await trial.orderedQueue();
      const expiresAt = trial.clock.now() + 300;
      await trial.sendAll(`queue:${queue}`, [{ key: "k", expiresAt }, { text: "next", key: "k" }]);
      await trial.clock.pass(600);
      const inbox = await trial.receive(queue, { ordered: true });
      await trial.came(inbox, 1, 5_000); // before anybody sweeps
      assertEquals(inbox.texts, ["next"]);
      await inbox.accept();
    },
  },
  {
    name: "an ordered source waits for what an unordered one has in flight out of turn",
    applies: ({ order }) => order === "key",
    async run(trial) {
      const queue = await trial.queue();
      await trial.sendAll(`queue:${queue}`, ["0", "1", "2"].map((text) => ({ text, key: "k" })));
      const first = await trial.receive(queue, { credit: 2 });
      await trial.came(first, 2);
      const [zero, one] = first.received as [Delivery, Delivery];
      first.receiver.credit(0);
      await first.settle({ outcome: "release" }, [zero]);
      const second = await trial.receive(queue, { ordered: true });
      await trial.quiet();
      assertEquals(second.texts, []);
      await first.settle({ outcome: "release" }, [one]);
      second.acceptAll();
      await trial.came(second, 3);
      assertEquals(second.texts, ["0", "1", "2"]);
    },
  },
  {
    name: "an ordered source waits for all that an unordered one has in flight",
    applies: ({ order }) => order === "key",
    async run(trial) {
      const queue = await trial.queue();
      await trial.sendAll(`queue:${queue}`, ["0", "1", "2", "3"].map((text) => ({ text, key: "k" })));
      const first = await trial.receive(queue, { credit: 3 });
      await trial.came(first, 3);
      const [zero, one, two] = first.received as [Delivery, Delivery, Delivery];
      first.receiver.credit(0);
      const second = await trial.receive(queue, { ordered: true });
      await first.settle({ outcome: "release" }, [zero]);
      await trial.quiet();
      assertEquals(second.texts, []);
      await first.accept([one]);
      await trial.quiet();
      assertEquals(second.texts, []);
      await first.accept([two]);
      second.acceptAll();
      await trial.came(second, 2);
      assertEquals(second.texts, ["0", "3"]);
    },
  },
  {
    name: "an ordered source waits for what is in flight behind others that came back",
    applies: ({ order }) => order === "key",
    async run(trial) {
      const queue = await trial.queue();
      await trial.sendAll(`queue:${queue}`, ["0", "1", "2", "3", "4"].map((text) => ({ text, key: "k" })));
      const first = await trial.receive(queue, { credit: 4 });
      await trial.came(first, 4);
      const [zero, one, two, three] = first.received as [Delivery, Delivery, Delivery, Delivery];
      first.receiver.credit(0);
      const second = await trial.receive(queue, { ordered: true });
      for (const settled of [() => first.settle({ outcome: "release" }, [zero, one]), () => first.accept([two])]) {
        await settled();
        await trial.quiet();
        assertEquals(second.texts, []);
      }
      await first.accept([three]);
      second.acceptAll();
      await trial.came(second, 3);
      assertEquals(second.texts, ["0", "1", "4"]);
    },
  },
  {
    name: "an ordered source does not hold up what has no key",
    applies: ({ order }) => order === "key",
    async run(trial) {
      const inbox = await trial.receive(await trial.orderedQueue(), { ordered: true, credit: 10 });
      await trial.send(inbox.receiver.address, { text: "stuck", key: "k" });
      await trial.came(inbox, 1);
      await trial.sendAll(inbox.receiver.address, [{ text: "a" }, { text: "b" }]);
      await trial.came(inbox, 3);
      assert(inbox.unsettled.length === 3);
    },
  },
];
