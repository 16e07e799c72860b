/** What becomes of a delivery. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Delivery, Settlement } from "../../../src/spi/transport.ts";
import { text } from "./inbox.ts";
import { frame, type TransportCase } from "./trial.ts";

export const settlingCases: readonly TransportCase[] = [
  {
    name: "what is accepted does not come again",
    async run(trial) {
      const queue = await trial.queue();
      const other = await trial.open();
      const inbox = await trial.receive(queue, { from: other });
      await trial.sendAll(`queue:${queue}`, [{ text: "a" }, { text: "b" }]);
      await trial.came(inbox, 2);
      await inbox.accept();
      await trial.close(other);
      assertEquals(await trial.left(queue), []);
    },
  },
  {
    name: "what is released comes again, as another delivery, and is counted",
    async run(trial) {
      const queue = await trial.queue();
      const inbox = await trial.receive(queue);
      await trial.send(`queue:${queue}`, { text: "a", key: "k", frame: frame("a", { x: 1 }) });
      for (let count = 1; count <= 3; count++) {
        await trial.came(inbox, count);
        const { deliveryCount, key, frame: { headers } } = inbox.only;
        assert(deliveryCount === undefined || deliveryCount === count, `The count is ${deliveryCount}, not ${count}`);
        assertEquals([key, headers["x"], inbox.texts.at(-1)], ["k", 1, "a"]);
        await inbox.settle({ outcome: "release" });
      }
    },
  },
  {
    name: "what is released untouched comes again, and is counted unless the transport says that it is not",
    async run(trial) {
      const { uncounted = false } = trial.has;
      const queue = await trial.queue();
      const inbox = await trial.receive(queue);
      await trial.send(`queue:${queue}`, { text: "a", key: "k" });
      for (let round = 1; round <= 3; round++) {
        await trial.came(inbox, round);
        const { deliveryCount } = inbox.only;
        const expected = uncounted ? 1 : round;
        assert(deliveryCount === undefined || deliveryCount === expected, `The count is ${deliveryCount}`);
        await inbox.settle({ outcome: "release", untouched: true });
      }
      await trial.came(inbox, 4);
      await inbox.settle({ outcome: "release" });
      await trial.came(inbox, 5);
      const { deliveryCount } = inbox.only;
      const expected = uncounted ? 2 : 5;
      assert(deliveryCount === undefined || deliveryCount === expected, `The count is ${deliveryCount}`);
    },
  },
  {
    name: "what is released may go to any receiver of the queue",
    async run(trial) {
      const queue = await trial.queue();
      const one = await trial.receive(queue, { credit: 1 });
      await trial.send(`queue:${queue}`, { text: "a" });
      await trial.came(one, 1);
      one.receiver.credit(0);
      const two = await trial.receive(queue, { from: await trial.open() });
      await one.settle({ outcome: "release" });
      await trial.came(two, 1);
      assertEquals(two.texts, ["a"]);
    },
  },
  {
    name: "again is a copy when it is due, never early, with the same body and key, and headers added",
    async run(trial) {
      const queue = await trial.queue();
      const inbox = await trial.receive(queue);
      await trial.send(`queue:${queue}`, { key: "k", frame: frame("body", { kept: "yes", changed: "old" }) });
      await trial.came(inbox, 1);
      const dueAt = trial.clock.now() + 1_500;
      await inbox.settle({ outcome: "again", dueAt, headers: { changed: "new", added: 5 } });
      await trial.came(inbox, 2, 20_000);
      assert(inbox.times[1]! >= dueAt, `It came ${dueAt - inbox.times[1]!} ms early`);
      const { key, frame: copy, deliveryCount } = inbox.only;
      assert(deliveryCount === undefined || deliveryCount === 1, `It came for the ${deliveryCount}th time`);
      assertEquals([inbox.texts[1], key, copy.contentType], ["body", "k", "text/plain"]);
      assertEquals([copy.headers["kept"], copy.headers["changed"], copy.headers["added"]], ["yes", "new", 5]);
      await inbox.accept();
    },
  },
  {
    name: "again at a time that is past comes at once",
    async run(trial) {
      const inbox = await trial.receive(await trial.queue());
      await trial.send(inbox.receiver.address, { text: "a" });
      await trial.came(inbox, 1);
      await inbox.settle({ outcome: "again", dueAt: trial.clock.now() - 1, headers: {} });
      await trial.came(inbox, 2);
      await inbox.accept();
    },
  },
  {
    name: "while one waits to come again, others pass",
    async run(trial) {
      const inbox = await trial.receive(await trial.queue(), { credit: 1 });
      const to = inbox.receiver.address;
      await trial.send(to, { text: "slow", key: "k" });
      await trial.came(inbox, 1);
      const dueAt = trial.clock.now() + 5_000;
      await inbox.settle({ outcome: "again", dueAt, headers: {} });
      await trial.send(to, { text: "quick", key: "k" });
      await trial.came(inbox, 2, 3_000);
      await inbox.accept();
      await trial.came(inbox, 3, 20_000);
      assertEquals(inbox.texts, ["slow", "quick", "slow"]);
      assert(inbox.times[1]! < dueAt && inbox.times[2]! >= dueAt);
      await inbox.accept();
    },
  },
  {
    name: "a short wait to come again does not end behind a long one",
    async run(trial) {
      const inbox = await trial.receive(await trial.queue());
      const start = trial.clock.now();
      const waits = [9, 3, 1, 5];
      await trial.sendAll(inbox.receiver.address, waits.map((seconds) => ({ text: String(seconds), key: "k" })));
      await trial.came(inbox, waits.length);
      await inbox.settleAll(inbox.unsettled.map((delivery) => {
        const dueAt = start + 1_000 * Number(text(delivery));
        return { delivery, outcome: "again", dueAt, headers: {} };
      }));
      await trial.came(inbox, 2 * waits.length, 30_000);
      assertEquals(inbox.texts.slice(waits.length), ["1", "3", "5", "9"]);
      inbox.times.slice(waits.length).forEach((time, at) => {
        assert(time >= start + 1_000 * Number(inbox.texts[waits.length + at]), `It came at ${time - start}`);
      });
      await inbox.accept();
    },
  },
  {
    name: "a wait to come again longer than a timer or the broker's delay does not end early",
    applies: (_, { clock }) => clock.virtual,
    async run(trial) {
      const inbox = await trial.receive(await trial.queue(), { credit: 1 });
      await trial.send(inbox.receiver.address, { text: "a" });
      await trial.came(inbox, 1);
      const dueAt = trial.clock.now() + 2 ** 31;
      await inbox.settle({ outcome: "again", dueAt, headers: {} });
      await trial.clock.pass(dueAt - 1 - trial.clock.now());
      assertEquals(inbox.received.length, 1);
      await trial.clock.pass(1);
      await trial.came(inbox, 2);
      await inbox.accept();
    },
  },
  {
    name: "what is moved is elsewhere, its body, key and headers untouched but for those added",
    async run(trial) {
      const [queue, errors] = [await trial.queue(), await trial.queue()];
      const inbox = await trial.receive(queue);
      await trial.send(`queue:${queue}`, { key: "k", frame: frame("body", { kept: new Uint8Array([1]), changed: 1 }) });
      await trial.came(inbox, 1);
      await inbox.settle({ outcome: "move", to: `queue:${errors}`, headers: { changed: "two", reason: "𝒳" } });
      const moved = await trial.receive(errors);
      await trial.came(moved, 1);
      const { key, frame: { headers, contentType } } = moved.only;
      assertEquals([moved.texts, key, contentType], [["body"], "k", "text/plain"]);
      assertEquals([headers["kept"], headers["changed"], headers["reason"]], [new Uint8Array([1]), "two", "𝒳"]);
      await trial.quiet();
      assertEquals(inbox.received.length, 1);
    },
  },
  {
    name: "what is moved does not expire where it is then",
    applies: ({ expiry }) => expiry,
    async run(trial) {
      const [queue, errors] = [await trial.queue(), await trial.queue()];
      const inbox = await trial.receive(queue);
      const expiresAt = trial.clock.now() + 2_000;
      await trial.send(`queue:${queue}`, { text: "parked", expiresAt });
      await trial.came(inbox, 1);
      await inbox.settle({ outcome: "move", to: `queue:${errors}`, headers: {} });
      await trial.clock.pass(Math.max(expiresAt + 100 - trial.clock.now(), 0));
      assertEquals(await trial.left(errors, 1), ["parked"]);
    },
  },
  {
    name: "a move to nowhere rejects: the rest of the call is settled, and what failed is still unsettled",
    applies: ({ mandatory }) => mandatory,
    async run(trial) {
      const [queue, errors] = [await trial.queue(), await trial.queue()];
      const inbox = await trial.receive(queue);
      await trial.sendAll(`queue:${queue}`, [{ text: "a" }, { text: "b" }, { text: "c" }]);
      await trial.came(inbox, 3);
      const [a, b, c] = inbox.received as [Delivery, Delivery, Delivery];
      await assertRejects(async () =>
        await inbox.receiver.settle([
          { delivery: a, outcome: "accept" },
          { delivery: b, outcome: "move", to: `queue:${trial.name("missing")}`, headers: {} },
          { delivery: c, outcome: "move", to: `queue:${errors}`, headers: {} },
        ])
      );
      await inbox.settle({ outcome: "move", to: `queue:${errors}`, headers: {} }, [b]);
      const moved = await trial.receive(errors);
      await trial.came(moved, 2);
      await moved.accept();
      await trial.close(trial.transport);
      assertEquals(moved.texts.toSorted(), ["b", "c"]);
    },
  },
  {
    name: "several outcomes in one call each take effect",
    async run(trial) {
      const [queue, errors] = [await trial.queue(), await trial.queue()];
      const inbox = await trial.receive(queue);
      const outcomes = ["accept", "release", "again", "move"] as const;
      await trial.sendAll(`queue:${queue}`, outcomes.map((text) => ({ text, key: text })));
      await trial.came(inbox, 4);
      const dueAt = trial.clock.now() + 1_000;
      await inbox.settleAll(inbox.unsettled.map((delivery): Settlement => {
        const outcome = outcomes.find((each) => each === text(delivery));
        switch (outcome) {
          case "again":
            return { delivery, outcome, dueAt, headers: {} };
          case "move":
            return { delivery, outcome, to: `queue:${errors}`, headers: {} };
          case "release":
            return { delivery, outcome };
          default:
            return { delivery, outcome: "accept" };
        }
      }));
      await trial.until("what was released and what was due", () => new Set(inbox.texts.slice(4)).size === 2, 20_000);
      assertEquals([...new Set(inbox.texts.slice(4))].toSorted(), ["again", "release"]);
      await inbox.accept();
      assertEquals(await trial.left(errors, 1), ["move"]);
    },
  },
  {
    name: "what is settled twice, in one call or two, is settled as at first",
    async run(trial) {
      const queue = await trial.queue();
      const other = await trial.open();
      const inbox = await trial.receive(queue, { from: other });
      await trial.send(`queue:${queue}`, { text: "a" });
      await trial.came(inbox, 1);
      const { only: delivery } = inbox;
      await inbox.settleAll([{ delivery, outcome: "accept" }, { delivery, outcome: "release" }]);
      await inbox.settleAll([{ delivery, outcome: "release" }]);
      await inbox.settleAll([{ delivery, outcome: "again", dueAt: trial.clock.now(), headers: {} }]);
      await trial.quiet();
      assertEquals(inbox.received.length, 1);
      await trial.close(other);
      assertEquals(await trial.left(queue), []);
    },
  },
  {
    name: "one receiver's delivery is nothing to another, and neither is what never was one",
    async run(trial) {
      const [one, two] = [await trial.receive(await trial.queue()), await trial.receive(await trial.queue())];
      await trial.send(one.receiver.address, { text: "a" });
      await trial.came(one, 1);
      const { only: delivery } = one;
      const foreign: Delivery = { frame: delivery.frame, key: undefined, via: undefined, deliveryCount: 1 };
      await two.receiver.settle([{ delivery, outcome: "release" }, { delivery: foreign, outcome: "release" }]);
      await one.receiver.settle([{ delivery: foreign, outcome: "release" }]);
      await trial.quiet();
      assertEquals([one.received.length, two.received.length], [1, 0]);
      await one.settle({ outcome: "release" });
      await trial.came(one, 2);
    },
  },
  {
    name: "many calls at once, in any order, settle each",
    async run(trial) {
      const queue = await trial.queue();
      const other = await trial.open();
      const inbox = await trial.receive(queue, { from: other });
      await trial.sendAll(`queue:${queue}`, Array.from({ length: 60 }, (_, at) => ({ text: String(at) })));
      await trial.came(inbox, 60);
      const deliveries = inbox.unsettled.toSorted((a, b) => Number(text(a)) * 7 % 60 - Number(text(b)) * 7 % 60);
      await inbox.settleAll([]);
      await Promise.all(
        Array.from({ length: 20 }, (_, at) => inbox.accept(deliveries.slice(at * 3, at * 3 + 3))),
      );
      await trial.close(other);
      assertEquals(await trial.left(queue), []);
    },
  },
];
