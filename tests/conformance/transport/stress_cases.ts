/** Many messages, and all that can happen to them, from a seed. */
import { assert, assertEquals } from "@std/assert";
import type { Delivery } from "../../../src/spi/transport.ts";
import { type Inbox, text } from "./inbox.ts";
import type { TransportCase } from "./trial.ts";

/** A generator of numbers in [0, 1) that a seed decides. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const stressCases: readonly TransportCase[] = [
  {
    name: "ten thousand messages come, each once",
    async run(trial) {
      const topic = trial.name("topic");
      const inbox = await trial.receive(await trial.queue(topic), { credit: 50, topics: [topic] });
      inbox.acceptAll();
      const texts = Array.from({ length: 10_000 }, (_, at) => String(at));
      for (let at = 0; at < texts.length; at += 250) {
        await trial.sendAll(`topic:${topic}`, texts.slice(at, at + 250).map((text) => ({ text, key: text })));
      }
      await trial.came(inbox, texts.length, 60_000);
      await trial.quiet();
      assertEquals(inbox.received.length, texts.length);
      assertEquals(new Set(inbox.texts).size, texts.length);
    },
  },
  ...[1, 2, 3].map((seed): TransportCase => ({
    name: `nothing is lost among three receivers that settle at random (seed ${seed})`,
    async run(trial) {
      const next = random(seed);
      const count = 2_000;
      const [queue, errors] = [await trial.queue(), await trial.queue()];
      const inboxes: readonly Inbox[] = [
        await trial.receive(queue, { credit: 7 }),
        await trial.receive(queue, { credit: 40 }),
        await trial.receive(queue, { credit: 40, from: await trial.open() }),
      ];
      const parked = await trial.receive(errors, { credit: 500 });
      const done = new Map<string, number>();
      const finish = (delivery: Delivery): void => void done.set(text(delivery), (done.get(text(delivery)) ?? 0) + 1);
      parked.handle((delivery) => {
        finish(delivery);
        void parked.accept([delivery]);
      });
      for (const inbox of inboxes) {
        inbox.handle((delivery) => {
          const chance = next();
          const settle = (): void => {
            if (inbox.lostDeliveries.includes(delivery)) return;
            if (chance < 0.7) {
              finish(delivery);
              void inbox.accept([delivery]);
            } else if (chance < 0.8) void inbox.settle({ outcome: "release" }, [delivery]);
            else if (chance < 0.9) {
              const dueAt = trial.clock.now() + Math.floor(next() * 1_000);
              void inbox.settle({ outcome: "again", dueAt, headers: { again: true } }, [delivery]);
            } else void inbox.settle({ outcome: "move", to: `queue:${errors}`, headers: { moved: true } }, [delivery]);
          };
          if (chance < 0.3) settle();
          else queueMicrotask(settle);
        });
      }
      for (let at = 0; at < count; at += 100) {
        await trial.sendAll(
          `queue:${queue}`,
          Array.from({ length: 100 }, (_, index) => ({ text: String(at + index), key: `key ${index % 30}` })),
        );
        if (at === count / 2) await trial.under.breakClaims?.(trial.transport);
      }
      await trial.until("each to be done", () => done.size === count, 600_000);
      await trial.quiet();
      assertEquals(done.size, count);
      if (trial.under.settlesAtOnce) assert([...done.values()].every((times) => times === 1), "Some came twice");
      for (const inbox of [...inboxes, parked]) assertEquals(inbox.unsettled.length, 0);
    },
  })),
];
