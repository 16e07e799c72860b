/** What becomes of claims that are lost. */
import { assert, assertEquals } from "@std/assert";
import type { TransportCase } from "./trial.ts";

const mostTries = 50;

export const claimCases: readonly TransportCase[] = [
  {
    name: "claims that are gone are told of, settling them does nothing, and what they were on comes again",
    applies: (_, { breakClaims }) => breakClaims !== undefined,
    async run(trial) {
      const queue = await trial.queue();
      const inbox = await trial.receive(queue);
      await trial.sendAll(`queue:${queue}`, [{ text: "a" }, { text: "b" }, { text: "c" }]);
      await trial.came(inbox, 3);
      const [a, ...held] = inbox.unsettled;
      await inbox.accept([a!]);
      await trial.under.breakClaims?.(trial.transport);
      await trial.until("the loss", () => inbox.lostDeliveries.length >= 2);
      assertEquals(inbox.lostDeliveries.length, 2);
      await inbox.receiver.settle(held.map((delivery) => ({ delivery, outcome: "accept" })));
      await trial.came(inbox, 5, 60_000);
      assertEquals(inbox.texts.slice(3).toSorted(), held.map((each) => inbox.texts[inbox.received.indexOf(each)]));
      for (const { deliveryCount } of inbox.unsettled) {
        assert(deliveryCount === undefined || deliveryCount > 1, `The count is ${deliveryCount}`);
      }
      await inbox.accept();
    },
  },
  {
    name: "what is held for less than the source says is neither lost nor given to another",
    applies: (_, { clock }) => clock.virtual,
    async run(trial) {
      const queue = await trial.queue();
      const inbox = await trial.receive(queue, { holdMs: 300_000, credit: 1 });
      await trial.send(`queue:${queue}`, { text: "held", key: "k" });
      await trial.came(inbox, 1);
      inbox.receiver.credit(0);
      const queueMate = trial.has.claim === "offset" ? undefined : await trial.receive(queue);
      await trial.clock.pass(299_000);
      assertEquals([inbox.lostDeliveries.length, queueMate?.received.length ?? 0], [0, 0]);
      await inbox.accept();
      await trial.clock.pass(600_000);
      assertEquals([inbox.received.length, queueMate?.received.length ?? 0], [1, 0]);
    },
  },
  {
    name: "sending goes on over a broken connection, in order and with nothing lost",
    applies: (_, { breakClaims }) => breakClaims !== undefined,
    async run(trial) {
      const queue = await trial.queue();
      const sender = await trial.open();
      const inbox = await trial.receive(queue, { credit: 1_000 });
      const sent: Promise<unknown>[] = [];
      for (let at = 0; at < 50; at++) {
        if (at === 25) await trial.under.breakClaims?.(sender);
        const { outgoing, settled } = trial.outgoing(`queue:${queue}`, { text: String(at), key: "k" });
        await sender.send([outgoing]);
        sent.push(settled);
      }
      await Promise.all(sent);
      await trial.came(inbox, 50);
      assertEquals(inbox.texts, Array.from({ length: 50 }, (_, at) => String(at)));
    },
  },
  {
    name: "a reply source is reached at its address after its connection was broken",
    applies: (_, { breakClaims }) => breakClaims !== undefined,
    async run(trial) {
      const other = await trial.open();
      const inbox = await trial.receive(trial.name("reply"), { lifetime: "reply" });
      const before = inbox.receiver.address;
      await trial.under.breakClaims?.(trial.transport);
      // As whoever answers would: until it is connected again, it is not reached.
      for (let tries = 0; inbox.received.length === 0 && tries < mostTries; tries++) {
        await trial.quiet();
        await trial.send(inbox.receiver.address, { text: "answer", mandatory: trial.has.mandatory }, other);
        await trial.quiet();
      }
      await trial.came(inbox, 1);
      assertEquals(inbox.readdresses > 0, before !== inbox.receiver.address);
    },
  },
  {
    name: "what a process held when it died comes to another, and what it still does has no effect",
    applies: (_, { kill }) => kill !== undefined,
    async run(trial) {
      const queue = await trial.queue();
      const victim = await trial.open();
      const dead = await trial.receive(queue, { from: victim, credit: 2, holdMs: 5_000 });
      await trial.sendAll(`queue:${queue}`, ["a", "b", "c"].map((text) => ({ text, key: "k" })));
      await trial.came(dead, 2);
      await trial.under.kill?.(victim);
      dead.closed("close");
      const inbox = await trial.receive(queue);
      await dead.accept().catch(() => {});
      await victim.send([trial.outgoing(`queue:${queue}`, { text: "from the dead" }).outgoing]);
      await trial.came(inbox, 3, 120_000);
      await trial.quiet();
      assertEquals(inbox.texts.toSorted(), ["a", "b", "c"]);
      await inbox.accept();
    },
  },
  {
    name: "what is unsettled at close comes to another",
    async run(trial) {
      const queue = await trial.queue();
      const other = await trial.open();
      const inbox = await trial.receive(queue, { from: other, holdMs: 5_000 });
      await trial.sendAll(`queue:${queue}`, [{ text: "a" }, { text: "b" }]);
      await trial.came(inbox, 2);
      await inbox.accept(inbox.unsettled.filter((_, at) => at === 0));
      const kept = inbox.texts[1]!;
      await trial.close(other);
      const next = await trial.receive(queue);
      await trial.came(next, 1, 120_000);
      await trial.quiet();
      assertEquals(next.texts, [kept]);
      const { deliveryCount } = next.only;
      assert(deliveryCount === undefined || deliveryCount === 2, `The count is ${deliveryCount}`);
      await next.accept();
    },
  },
];
