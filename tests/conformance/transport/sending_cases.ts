/** Sending: routes, outcomes, order. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { UnroutableError } from "../../../src/errors/sending.ts";
import type { TransportCase } from "./trial.ts";

export const sendingCases: readonly TransportCase[] = [
  {
    name: "each message of a batch is settled once, and each comes",
    async run(trial) {
      const queue = await trial.queue();
      const inbox = await trial.receive(queue, { credit: 1_000 });
      const texts = Array.from({ length: 500 }, (_, at) => String(at));
      await trial.sendAll(`queue:${queue}`, texts.map((text) => ({ text })));
      await trial.came(inbox, 500);
      assertEquals(inbox.texts.toSorted(), texts.toSorted());
    },
  },
  {
    name: "an empty batch is nothing",
    async run(trial) {
      await trial.transport.send([]);
    },
  },
  {
    name: "messages of one address and key come in the order in which they were sent",
    async run(trial) {
      const topic = trial.name("topic");
      const inbox = await trial.receive(await trial.queue(topic), { credit: 1_000, topics: [topic] });
      const sent: Promise<unknown>[] = [];
      for (let batch = 0; batch < 20; batch++) {
        const made = Array.from(
          { length: 10 },
          (_, at) => trial.outgoing(`topic:${topic}`, { text: String(batch * 10 + at), key: `key ${at % 3}` }),
        );
        await trial.transport.send(made.map(({ outgoing }) => outgoing));
        sent.push(...made.map(({ settled }) => settled));
      }
      await Promise.all(sent);
      await trial.came(inbox, 200);
      for (const key of ["key 0", "key 1", "key 2"]) {
        const numbers = inbox.received.flatMap((each, at) => each.key === key ? [Number(inbox.texts[at])] : []);
        assertEquals(numbers, numbers.toSorted((a, b) => a - b));
      }
      assertEquals(new Set(inbox.texts).size, 200);
    },
  },
  {
    name: "what is sent to a topic goes once to each queue that is bound to it",
    async run(trial) {
      const topic = trial.name("topic");
      const inboxes = [];
      for (let each = 0; each < 3; each++) {
        inboxes.push(await trial.receive(await trial.queue(topic), { topics: [topic] }));
      }
      await trial.sendAll(`topic:${topic}`, [{ text: "a", key: "k" }, { text: "b", key: "k" }]);
      for (const inbox of inboxes) await trial.came(inbox, 2);
      await trial.quiet();
      for (const inbox of inboxes) assertEquals(inbox.texts, ["a", "b"]);
    },
  },
  {
    name: "one queue gets what is sent to any of its topics, and tells by which it came",
    async run(trial) {
      const topics = [trial.name("topic"), trial.name("topic")];
      const inbox = await trial.receive(await trial.queue(...topics), { topics });
      for (const topic of topics) await trial.send(`topic:${topic}`, { text: `topic:${topic}` });
      await trial.came(inbox, 2);
      for (const delivery of inbox.received) {
        if (delivery.via !== undefined) assertEquals(delivery.via, inbox.texts[inbox.received.indexOf(delivery)]);
      }
    },
  },
  {
    name: "what is sent to a queue goes to no other, and names it as its way",
    async run(trial) {
      const topic = trial.name("topic");
      const [one, other] = [await trial.queue(topic), await trial.queue(topic)];
      const inboxes = [await trial.receive(one, { topics: [topic] }), await trial.receive(other, { topics: [topic] })];
      await trial.send(`queue:${one}`, { text: "a" });
      await trial.came(inboxes[0]!, 1);
      await trial.quiet();
      assertEquals(inboxes[1]?.received.length, 0);
      const { via } = inboxes[0]!.only;
      assert(via === undefined || via === `queue:${one}`, `It came via "${via}"`);
    },
  },
  {
    name: "an event that nobody subscribes to is sent without an error",
    async run(trial) {
      const topic = trial.name("topic");
      await trial.deploy([], { [topic]: [] });
      await trial.send(`topic:${topic}`);
    },
  },
  {
    name: "a mandatory message that reaches no queue fails, and the others of its batch do not",
    applies: ({ mandatory }) => mandatory,
    async run(trial) {
      const topic = trial.name("topic");
      const queue = await trial.queue();
      await trial.deploy([], { [topic]: [] });
      const inbox = await trial.receive(queue);
      const made = [`queue:${queue}`, `topic:${topic}`, `queue:${queue}`].map((to, at) =>
        trial.outgoing(to, { text: String(at), mandatory: true })
      );
      await trial.transport.send(made.map(({ outgoing }) => outgoing));
      await assertRejects(() => made[1]!.settled, UnroutableError);
      await made[0]!.settled;
      await made[2]!.settled;
      await trial.came(inbox, 2);
      await assertRejects(() => trial.send(`queue:${trial.name("missing")}`, { mandatory: true }), UnroutableError);
    },
  },
  {
    name: "a subscriber to a base gets what is sent to a derived topic, once whatever the ways",
    applies: ({ hierarchy }) => hierarchy,
    async run(trial) {
      const [derived, base, root] = [trial.name("derived"), trial.name("base"), trial.name("root")];
      const [queue, all] = [trial.name("queue"), trial.name("queue")];
      await trial.deploy([queue, all], {
        [derived]: [`topic:${base}`, `topic:${root}`, all],
        [base]: [`topic:${root}`, all],
        [root]: [queue, all],
      });
      const inbox = await trial.receive(queue, { topics: [root] });
      const every = await trial.receive(all, { topics: [derived, base, root] });
      await trial.send(`topic:${derived}`, { text: "derived", mandatory: trial.has.mandatory });
      await trial.send(`topic:${root}`, { text: "root", mandatory: trial.has.mandatory });
      await trial.came(inbox, 2);
      await trial.came(every, 2);
      await trial.quiet();
      assertEquals(inbox.texts, ["derived", "root"]);
      assertEquals(every.texts, ["derived", "root"]);
      const { via } = inbox.received[0]!;
      const ways = [undefined, ...[derived, base, root].map((topic) => `topic:${topic}`)];
      assert(ways.includes(via), `It came via "${via}"`);
    },
  },
  {
    name: "where the broker knows no hierarchy, alsoTo reaches the subscribers to the bases",
    applies: ({ hierarchy }) => !hierarchy,
    async run(trial) {
      const [derived, base] = [trial.name("derived"), trial.name("base")];
      const inbox = await trial.receive(await trial.queue(base), { topics: [base] });
      const own = await trial.receive(await trial.queue(derived), { topics: [derived] });
      await trial.send(`topic:${derived}`, { text: "a", alsoTo: [`topic:${base}`] });
      await trial.came(inbox, 1);
      await trial.came(own, 1);
      assertEquals([inbox.texts, own.texts], [["a"], ["a"]]);
    },
  },
];
