/** Opening and closing. */
import { assertEquals, assertRejects } from "@std/assert";
import { ClosedError } from "../../../src/errors/transport.ts";
import type { TransportCase } from "./trial.ts";

export const lifecycleCases: readonly TransportCase[] = [
  {
    name: "opening tells that it is up",
    async run(trial) {
      const states: string[] = [];
      const transport = trial.under.connect();
      await transport.open({ ...trial.host(), status: ({ state }) => states.push(state) });
      assertEquals(states.at(-1), "up");
      await trial.close(transport);
    },
  },
  {
    name: "opening rejects when its bus gives up waiting",
    async run(trial) {
      const reason = new Error("given up");
      const transport = trial.under.connect();
      const error = await assertRejects(() => transport.open(trial.host(AbortSignal.abort(reason))));
      assertEquals(error, reason);
      await trial.close(transport);
    },
  },
  {
    name: "what was never opened can be closed",
    async run(trial) {
      const transport = trial.under.connect();
      await trial.close(transport);
      await trial.close(transport);
    },
  },
  {
    name: "closing twice, at once or after another, is closing once",
    async run(trial) {
      const other = await trial.open();
      await trial.receive(await trial.queue(), { from: other });
      await Promise.all([trial.close(other), trial.close(other)]);
      await trial.close(other);
    },
  },
  {
    name: "after close each send is told so, and nothing is sent or received",
    async run(trial) {
      const queue = await trial.queue();
      const other = await trial.open();
      const inbox = await trial.receive(queue, { from: other, credit: 1 });
      await trial.sendAll(`queue:${queue}`, [{ text: "a", key: "k" }, { text: "b", key: "k" }]);
      await trial.came(inbox, 1);
      await inbox.accept();
      await trial.came(inbox, 2);
      const accepted = inbox.accept();
      await trial.close(other);
      await accepted;
      const made = ["x", "y"].map((text) => trial.outgoing(`queue:${queue}`, { text }));
      await other.send(made.map(({ outgoing }) => outgoing));
      for (const { settled } of made) await assertRejects(() => settled, ClosedError);
      await assertRejects(() => trial.receive(queue, { from: other }));
      await trial.send(`queue:${queue}`, { text: "c", key: "k" });
      await trial.quiet();
      assertEquals(await trial.left(queue, 1), ["c"]);
      inbox.receiver.credit(5);
      await inbox.receiver.stop();
    },
  },
  {
    name: "what was sent before close is there",
    async run(trial) {
      const queue = await trial.queue();
      const other = await trial.open();
      const made = Array.from(
        { length: 50 },
        (_, at) => trial.outgoing(`queue:${queue}`, { text: String(at), key: "k" }),
      );
      void other.send(made.map(({ outgoing }) => outgoing));
      await trial.close(other);
      await Promise.all(made.map(({ settled }) => settled));
      assertEquals(await trial.left(queue, made.length), made.map((_, at) => String(at)));
    },
  },
  {
    name: "a transport may be closed by what it delivers",
    async run(trial) {
      const queue = await trial.queue();
      const other = await trial.open();
      const inbox = await trial.receive(queue, { from: other, credit: 1 });
      let closed: Promise<void> | undefined;
      inbox.handle((delivery) => {
        void inbox.accept([delivery]);
        closed ??= trial.close(other);
      });
      await trial.sendAll(`queue:${queue}`, [{ text: "a", key: "k" }, { text: "b", key: "k" }]);
      await trial.came(inbox, 1);
      await closed;
      const next = await trial.receive(queue);
      next.acceptAll();
      await trial.until("the other", () => [...inbox.texts, ...next.texts].includes("b"), 120_000);
    },
  },
  {
    name: "what is due later outlives the transport that sent it",
    applies: ({ delay }) => delay !== false,
    async run(trial) {
      const queue = await trial.queue();
      const other = await trial.open();
      const dueAt = trial.clock.now() + 3_000;
      await trial.send(`queue:${queue}`, { text: "later", dueAt }, other);
      await trial.close(other);
      const inbox = await trial.receive(queue);
      await trial.came(inbox, 1, 30_000);
      await inbox.accept();
    },
  },
];
