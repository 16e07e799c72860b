/** Several processes of a service on one outbox: nothing leaves twice while none of them crashes, and keys keep order. */
import { assertEquals } from "@std/assert";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";
import { start } from "./kill/child.ts";
import { databases, withBench } from "./kill/databases.ts";
import type { Sent } from "./kill/lasting_broker.ts";

/** The numbers in the messages to a topic, in the order in which the broker got them. */
function numbers(sent: readonly Sent[], topic: string, by?: string): readonly number[] {
  return sent.filter(({ to }) => to === `topic:processes.${topic}`)
    .map(({ body }) => JSON.parse(body) as { readonly number: number; readonly by: string })
    .filter((each) => by === undefined || each.by === by)
    .map(({ number }) => number);
}

const range = (from: number, count: number): readonly number[] => Array.from({ length: count }, (_, at) => from + at);

const runs = databases.flatMap((database) => [2, 10].map((processes) => ({ database, processes })));
for (const { database, processes } of runs) {
  const name = `${database.name}: ${processes} processes on one outbox send each message once, those of a key in order`;
  test(name, () =>
    withBench(database, async ({ ledger, ledgerAddress, broker, brokerPath }) => {
      const each = Math.ceil(share(1000) * 2 / processes);
      const names = range(1, processes).map((at) => `process ${at}`);
      // One makes the tables: that several may is the stores' own tests' matter.
      assertEquals(await start("sending_process.ts", [ledgerAddress, brokerPath, "first", 0]).ended, "well");
      const children = names.map((name) => start("sending_process.ts", [ledgerAddress, brokerPath, name, each]));
      assertEquals(await Promise.all(children.map(({ ended }) => ended)), names.map(() => "well"));
      const sent = broker.sent();
      const all = 3 * processes * each;
      assertEquals([sent.length, new Set(sent.map(({ messageId }) => messageId)).size], [all, all]);
      assertEquals(numbers(sent, "shared"), range(1, processes * each), "Those of the key that all share");
      for (const name of names) {
        assertEquals(numbers(sent, "own", name), range(0, each), `Those of ${name}`);
        assertEquals(numbers(sent, "free", name).toSorted((a, b) => a - b), range(0, each));
      }
      assertEquals(await ledger.left(), { inbox: 0, outbox: 0, schedules: 0 });
    }), { skip: database.skip, timeoutInMs: 300_000 });
}
