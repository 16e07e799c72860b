/** Delay, expiry, priority. */
import { assert, assertEquals, assertExists } from "@std/assert";
import { frame, type TransportCase } from "./trial.ts";

const day = 86_400_000;

export const timeCases: readonly TransportCase[] = [
  {
    name: "what is due later comes then, never early, a short delay before a long one",
    applies: ({ delay }) => delay !== false,
    async run(trial) {
      const inbox = await trial.receive(await trial.queue());
      const start = trial.clock.now();
      for (const seconds of [9, 3, 1, 5]) {
        // Not a whole millisecond.
        const dueAt = start + seconds * 1_000 + 0.25;
        await trial.send(inbox.receiver.address, { text: String(seconds), dueAt });
      }
      await trial.came(inbox, 4, 30_000);
      assertEquals(inbox.texts, ["1", "3", "5", "9"]);
      inbox.times.forEach((time, at) => {
        const late = time - start - Number(inbox.texts[at]) * 1_000 - 0.25;
        assert(late >= 0, `${inbox.texts[at]} s came ${-late} ms early`);
        if (trial.clock.virtual) assert(late <= 50, `${inbox.texts[at]} s came ${late} ms late`);
      });
    },
  },
  {
    name: "what becomes due while nobody receives comes in the order in which it was due",
    applies: ({ delay }) => delay !== false,
    async run(trial) {
      const queue = await trial.queue();
      const start = trial.clock.now();
      for (const seconds of [3, 1, 2]) {
        await trial.send(`queue:${queue}`, { text: String(seconds), dueAt: start + seconds * 500 });
      }
      await trial.clock.pass(2_000);
      assertEquals(await trial.left(queue, 3), ["1", "2", "3"]);
    },
  },
  {
    name: "what was due in the past comes at once",
    applies: ({ delay }) => delay !== false,
    async run(trial) {
      const inbox = await trial.receive(await trial.queue());
      await trial.send(inbox.receiver.address, { text: "now", dueAt: trial.clock.now() });
      await trial.send(inbox.receiver.address, { text: "past", dueAt: trial.clock.now() - day });
      await trial.came(inbox, 2);
    },
  },
  {
    name: "delays beyond what a timer holds do not end early",
    applies: ({ delay }, { clock }) => delay !== false && clock.virtual,
    async run(trial) {
      const { delay } = trial.has;
      const inbox = await trial.receive(await trial.queue());
      const start = trial.clock.now();
      const delays = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 180 * day]
        .filter((ms) => delay !== false && ms <= delay.maxMs);
      if (delay !== false) delays.push(Math.min(delay.maxMs, 365 * day));
      for (const ms of delays) await trial.send(inbox.receiver.address, { text: String(ms), dueAt: start + ms });
      for (const ms of delays.toSorted((a, b) => a - b)) {
        await trial.clock.pass(start + ms - 1 - trial.clock.now());
        assert(!inbox.texts.includes(String(ms)), `${ms} ms came early`);
        await trial.clock.pass(1);
        await trial.until(`${ms} ms`, () => inbox.texts.includes(String(ms)));
        await inbox.accept();
      }
    },
  },
  {
    name: "what is due later waits for subscribers that are there then",
    applies: ({ delay }) => delay !== false,
    async run(trial) {
      const topic = trial.name("topic");
      const queue = await trial.queue(topic);
      await trial.send(`topic:${topic}`, { text: "later", dueAt: trial.clock.now() + 2_000 });
      const inbox = await trial.receive(queue, { topics: [topic] });
      await trial.came(inbox, 1, 20_000);
    },
  },
  {
    name: "what is due later can be taken back once, by any process, and then does not come",
    applies: ({ delay }) => delay !== false && delay.cancel,
    async run(trial) {
      const other = await trial.open();
      const inbox = await trial.receive(await trial.queue());
      const dueAt = trial.clock.now() + 2_000;
      const receipts = await trial.sendAll(inbox.receiver.address, [{ text: "a", dueAt }, { text: "b", dueAt }]);
      const [a, b] = receipts;
      assertExists(a);
      assertExists(b);
      assertEquals(await other.cancel?.(a), true);
      assertEquals(await other.cancel?.(a), false);
      await trial.came(inbox, 1, 20_000);
      await trial.quiet();
      assertEquals(inbox.texts, ["b"]);
      assertEquals(await trial.transport.cancel?.(b), false);
    },
  },
  {
    name: "what has expired does not come, and what has not does",
    applies: ({ expiry }) => expiry,
    async run(trial) {
      const queue = await trial.queue();
      const now = trial.clock.now();
      await trial.sendAll(`queue:${queue}`, [
        { text: "expired", expiresAt: now + 1_000 },
        { text: "fresh", expiresAt: now + day },
        { text: "without" },
      ]);
      await trial.clock.pass(2_000);
      const inbox = await trial.receive(queue);
      await trial.came(inbox, 2);
      await trial.quiet();
      assertEquals(inbox.texts.toSorted(), ["fresh", "without"]);
    },
  },
  {
    name: "what has expired while it waited, and says so in its envelope, comes once more, to be counted",
    applies: ({ expiry }, { tellsExpired }) => expiry && tellsExpired === true,
    async run(trial) {
      const queue = await trial.queue();
      let inbox = await trial.receive(queue, { credit: 0 });
      // What nobody looks at is taken away now and then, which may hit one, not each.
      for (let tries = 0; tries < 5 && inbox.received.length === 0; tries++) {
        await inbox.stop();
        const expiresAt = trial.clock.now() + 500;
        const headers = { "hero-meta": `{"x":${expiresAt}}` };
        await trial.send(`queue:${queue}`, { frame: frame("expired", headers), expiresAt });
        await trial.clock.pass(1_000);
        inbox = await trial.receive(queue);
        await trial.quiet();
      }
      assertEquals(inbox.texts, ["expired"]);
      await inbox.accept();
    },
  },
  {
    name: "what is due after it expires does not come",
    applies: ({ delay, expiry }) => delay !== false && expiry,
    async run(trial) {
      const inbox = await trial.receive(await trial.queue());
      const now = trial.clock.now();
      await trial.send(inbox.receiver.address, { text: "late", dueAt: now + 2_000, expiresAt: now + 1_000 });
      await trial.send(inbox.receiver.address, { text: "mark", dueAt: now + 2_500 });
      await trial.came(inbox, 1, 20_000);
      await trial.quiet();
      assertEquals(inbox.texts, ["mark"]);
    },
  },
  {
    name: "of what waits, a higher priority comes first, and one priority in order",
    applies: ({ priorities }) => priorities > 1,
    async run(trial) {
      const queue = await trial.queue();
      const top = trial.has.priorities - 1;
      const priorities = [0, top, 1, 0, top, 1];
      await trial.sendAll(
        `queue:${queue}`,
        priorities.map((priority, at) => ({ text: `${priority}.${at}`, priority })),
      );
      const inbox = await trial.receive(queue, { credit: 1 });
      inbox.acceptAll();
      await trial.came(inbox, 6);
      assertEquals(inbox.texts, [`${top}.1`, `${top}.4`, "1.2", "1.5", "0.0", "0.3"]);
    },
  },
];
