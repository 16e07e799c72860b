/** Receiving: who gets what, and for how long. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { UnroutableError } from "../../../src/errors/sending.ts";
import type { TransportCase } from "./trial.ts";

export const receivingCases: readonly TransportCase[] = [
  {
    name: "a durable queue keeps what is sent before anybody receives",
    async run(trial) {
      const topic = trial.name("topic");
      const queue = await trial.queue(topic);
      await trial.send(`topic:${topic}`, { text: "a" });
      await trial.send(`queue:${queue}`, { text: "b" });
      const inbox = await trial.receive(queue, { topics: [topic] });
      await trial.came(inbox, 2);
      assertEquals(inbox.texts.toSorted(), ["a", "b"]);
    },
  },
  {
    name: "nothing sent after receive has resolved is missed",
    async run(trial) {
      const topic = trial.name("topic");
      await trial.deploy([], { [topic]: [] });
      for (let round = 0; round < 5; round++) {
        const inbox = await trial.receive(trial.name("instance"), { topics: [topic], lifetime: "instance" });
        await trial.send(`topic:${topic}`, { text: String(round) });
        await trial.came(inbox, 1);
        assertEquals(inbox.texts, [String(round)]);
        await inbox.accept();
        await inbox.stop();
      }
    },
  },
  {
    name: "receivers of one queue, of several processes, compete: each message goes to one",
    async run(trial) {
      const queue = await trial.queue();
      const inboxes = [
        await trial.receive(queue),
        await trial.receive(queue),
        await trial.receive(queue, { from: await trial.open() }),
      ];
      await trial.quiet(); // whoever joins later may take over from who was there
      // More than all have room for, also where keys are dealt out among them: each is full before any accepts.
      const texts = Array.from({ length: 900 }, (_, at) => String(at));
      await trial.sendAll(`queue:${queue}`, texts.map((text) => ({ text, key: text })));
      await trial.until("each is full", () => inboxes.every(({ received }) => received.length >= 100));
      assertEquals(inboxes.map(({ received }) => received.length), [100, 100, 100]);
      for (const inbox of inboxes) inbox.acceptAll();
      await Promise.all(inboxes.map((inbox) => inbox.accept()));
      await trial.until("all", () => inboxes.reduce((sum, { received }) => sum + received.length, 0) >= texts.length);
      await trial.quiet();
      assertEquals(inboxes.flatMap((inbox) => inbox.texts).toSorted(), texts.toSorted());
    },
  },
  {
    name: "of competing receivers, one that is full does not keep the others from the rest",
    async run(trial) {
      const queue = await trial.queue();
      const stuck = await trial.receive(queue, { credit: 2 });
      const free = await trial.receive(queue, { credit: 2 });
      free.acceptAll();
      await trial.sendAll(`queue:${queue}`, Array.from({ length: 20 }, (_, at) => ({ text: String(at) })));
      await trial.until("all but two", () => stuck.received.length + free.received.length >= 20);
      assert(stuck.received.length <= 2);
    },
  },
  {
    name: "instances have a queue of their own each, which is gone with its receiver",
    async run(trial) {
      const topic = trial.name("topic");
      await trial.deploy([], { [topic]: [] });
      const other = await trial.open();
      const names = [trial.name("instance"), trial.name("instance")];
      const one = await trial.receive(names[0]!, { topics: [topic], lifetime: "instance" });
      const two = await trial.receive(names[1]!, { topics: [topic], lifetime: "instance", from: other });
      await trial.send(`topic:${topic}`, { text: "both" });
      await trial.came(one, 1);
      await trial.came(two, 1);
      await one.accept();
      await one.stop();
      await trial.send(`topic:${topic}`, { text: "two alone" });
      await trial.came(two, 2);
      const again = await trial.receive(names[0]!, { topics: [topic], lifetime: "instance" });
      await trial.quiet();
      assertEquals(again.received.length, 0);
      assertEquals(one.texts, ["both"]);
    },
  },
  {
    name: "what an instance still has when it is stopped can be moved",
    async run(trial) {
      const [topic, errors] = [trial.name("topic"), await trial.queue()];
      await trial.deploy([], { [topic]: [] });
      const inbox = await trial.receive(trial.name("instance"), { topics: [topic], lifetime: "instance" });
      await trial.send(`topic:${topic}`, { text: "a" });
      await trial.came(inbox, 1);
      await inbox.stop();
      await trial.quiet();
      await inbox.settle({ outcome: "move", to: `queue:${errors}`, headers: {} });
      assertEquals(await trial.left(errors, 1), ["a"]);
    },
  },
  {
    name: "an answer to a reply source's address comes, from another process, and to it alone",
    async run(trial) {
      const other = await trial.open();
      const one = await trial.receive(trial.name("reply"), { lifetime: "reply" });
      const two = await trial.receive(trial.name("reply"), { lifetime: "reply" });
      assert(one.receiver.address !== two.receiver.address, "Two reply sources have one address");
      await trial.send(one.receiver.address, { text: "one", mandatory: trial.has.mandatory }, other);
      await trial.send(two.receiver.address, { text: "two", mandatory: trial.has.mandatory }, other);
      await trial.came(one, 1);
      await trial.came(two, 1);
      assertEquals([one.texts, two.texts], [["one"], ["two"]]);
    },
  },
  {
    name: "a mandatory answer to a reply source that is gone is told of",
    applies: ({ mandatory }) => mandatory,
    async run(trial) {
      const reply = await trial.receive(trial.name("reply"), { lifetime: "reply" });
      const { address } = reply.receiver;
      const other = await trial.open();
      await trial.send(address, { mandatory: true }, other); // by now it is known there where it leads
      await trial.came(reply, 1);
      await reply.accept();
      await reply.stop();
      await assertRejects(() => trial.send(address, { mandatory: true }), UnroutableError);
      await assertRejects(() => trial.send(address, { mandatory: true }, other), UnroutableError);
    },
  },
  {
    name: "a message comes with the key that it was sent with, or none",
    async run(trial) {
      const inbox = await trial.receive(await trial.queue());
      const to = inbox.receiver.address;
      await trial.send(to, { key: "ключ" });
      await trial.send(to);
      await trial.came(inbox, 2);
      assertEquals(new Set(inbox.received.map(({ key }) => key)), new Set(["ключ", undefined]));
    },
  },
  {
    name: "a first delivery counts as the first",
    async run(trial) {
      const queue = await trial.queue();
      await trial.send(`queue:${queue}`);
      const inbox = await trial.receive(queue);
      await trial.came(inbox, 1);
      const { deliveryCount } = inbox.only;
      assert(deliveryCount === undefined || deliveryCount === 1, `The count is ${deliveryCount}`);
    },
  },
  {
    name: "a queue that is received from may be left and joined again, with nothing lost",
    async run(trial) {
      const queue = await trial.queue();
      const texts: string[] = [];
      for (let round = 0; round < 5; round++) {
        const inbox = await trial.receive(queue, { credit: 3 });
        inbox.acceptAll();
        await trial.sendAll(`queue:${queue}`, [0, 1, 2].map((at) => ({ text: `${round}.${at}`, key: String(at) })));
        if (round === 4) await trial.until("all", () => texts.length + inbox.received.length >= 15);
        await inbox.stop();
        texts.push(...inbox.texts);
      }
      assertEquals(texts.length, 15);
      assertEquals(new Set(texts).size, 15);
    },
  },
];
