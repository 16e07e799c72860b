/** Credit, pausing and stopping. Each inbox also watches its credit by itself. */
import { assert, assertEquals } from "@std/assert";
import type { TransportCase } from "./trial.ts";

const ten = Array.from({ length: 10 }, (_, at) => ({ text: String(at) }));

export const creditCases: readonly TransportCase[] = [
  {
    name: "no more is unsettled than the credit says, and each settlement makes room for another",
    async run(trial) {
      const inbox = await trial.receive(await trial.queue(), { credit: 3 });
      await trial.sendAll(inbox.receiver.address, ten);
      await trial.came(inbox, 3);
      await trial.quiet();
      assertEquals(inbox.received.length, 3);
      await inbox.accept(inbox.unsettled.slice(0, 1));
      await trial.came(inbox, 4);
      await trial.quiet();
      assertEquals(inbox.received.length, 4);
      inbox.acceptAll();
      await trial.came(inbox, 10);
    },
  },
  {
    name: "a credit of 0 pauses: nothing comes, what is in flight is settled, and it goes on with more",
    async run(trial) {
      const inbox = await trial.receive(await trial.queue(), { credit: 2 });
      await trial.sendAll(inbox.receiver.address, ten.slice(0, 3));
      await trial.came(inbox, 2);
      inbox.receiver.credit(0);
      await inbox.accept();
      await trial.sendAll(inbox.receiver.address, ten.slice(3));
      await trial.quiet();
      assertEquals(inbox.received.length, 2);
      inbox.allowed = 100;
      inbox.receiver.credit(100);
      await trial.came(inbox, 10);
    },
  },
  {
    name: "a source opened without credit gets nothing until it has some",
    async run(trial) {
      const inbox = await trial.receive(await trial.queue(), { credit: 0 });
      await trial.sendAll(inbox.receiver.address, ten);
      await trial.quiet();
      assertEquals(inbox.received.length, 0);
      inbox.allowed = 4;
      inbox.receiver.credit(4);
      await trial.came(inbox, 4);
      await trial.quiet();
      assertEquals(inbox.received.length, 4);
      inbox.acceptAll();
      await trial.came(inbox, 10);
    },
  },
  {
    name: "a credit lowered below what is in flight takes nothing back, and lets nothing come until there is room",
    async run(trial) {
      const inbox = await trial.receive(await trial.queue(), { credit: 5 });
      await trial.sendAll(inbox.receiver.address, ten);
      await trial.came(inbox, 5);
      inbox.receiver.credit(2);
      await inbox.accept(inbox.unsettled.slice(0, 3));
      await trial.quiet();
      assertEquals(inbox.received.length, 5);
      inbox.allowed = 2;
      inbox.acceptAll();
      await trial.came(inbox, 10);
    },
  },
  {
    name: "a stopped receiver gets nothing more, may settle what it has, and leaves the rest to others",
    async run(trial) {
      const queue = await trial.queue();
      const inbox = await trial.receive(queue, { credit: 4 });
      await trial.sendAll(`queue:${queue}`, ten);
      await trial.came(inbox, 4);
      await inbox.stop();
      await inbox.receiver.stop();
      await inbox.accept();
      inbox.receiver.credit(100);
      const next = await trial.receive(queue);
      await trial.came(next, 6);
      await trial.quiet();
      assertEquals(next.received.length, 6);
      assertEquals([...inbox.texts, ...next.texts].toSorted(), ten.map(({ text }) => text));
    },
  },
  {
    name: "a receiver may be stopped by what it is delivered",
    async run(trial) {
      const queue = await trial.queue();
      const inbox = await trial.receive(queue, { credit: 1 });
      let stopped: Promise<void> | undefined;
      inbox.handle(() => void (stopped ??= inbox.stop()));
      await trial.sendAll(`queue:${queue}`, ten);
      await trial.came(inbox, 1);
      await stopped;
      await inbox.accept();
      const next = await trial.receive(queue);
      await trial.came(next, 9);
    },
  },
  {
    name: "what is settled within its delivery makes room at once",
    async run(trial) {
      const queue = await trial.queue();
      await trial.sendAll(`queue:${queue}`, Array.from({ length: 300 }, (_, at) => ({ text: String(at) })));
      const inbox = await trial.receive(queue, { credit: 0 });
      inbox.acceptAll();
      inbox.allowed = 1;
      inbox.receiver.credit(1);
      await trial.came(inbox, 300);
      assert(inbox.unsettled.length === 0);
    },
  },
];
