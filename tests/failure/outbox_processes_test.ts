/** Several processes of a service on one outbox: nothing leaves twice while none of them crashes, and keys keep order. */
import { assertEquals } from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";
import { start } from "./kill/child.ts";
import { BrokerFile, type Sent } from "./kill/lasting_broker.ts";
import { ledgerAt } from "./kill/ledger.ts";

/** The numbers in the messages to a topic, in the order in which the broker got them. */
function numbers(sent: readonly Sent[], topic: string, by?: string): readonly number[] {
  return sent.filter(({ to }) => to === `topic:processes.${topic}`)
    .map(({ body }) => JSON.parse(body) as { readonly number: number; readonly by: string })
    .filter((each) => by === undefined || each.by === by)
    .map(({ number }) => number);
}

const range = (from: number, count: number): readonly number[] => Array.from({ length: count }, (_, at) => from + at);

for (const processes of [2, 10]) {
  test(`${processes} processes on one outbox send each message once, and those of a key in order`, async () => {
    const each = Math.ceil(share(1000) * 2 / processes);
    const folder = await mkdtemp(join(tmpdir(), "hero-processes-"));
    const [url, path] = [`sqlite:${join(folder, "service.db")}`, join(folder, "broker.db")];
    const broker = new BrokerFile(path);
    try {
      const ledger = ledgerAt(url);
      await ledger.prepare();
      const names = range(1, processes).map((at) => `process ${at}`);
      const children = names.map((name) => start("sending_process.ts", [url, path, name, each]));
      assertEquals(await Promise.all(children.map(({ ended }) => ended)), names.map(() => "well"));
      const sent = broker.sent();
      assertEquals([sent.length, new Set(sent.map(({ messageId }) => messageId)).size], [
        3 * processes * each,
        3 * processes * each,
      ]);
      assertEquals(numbers(sent, "shared"), range(1, processes * each), "Those of the key that all share");
      for (const name of names) {
        assertEquals(numbers(sent, "own", name), range(0, each), `Those of ${name}`);
        assertEquals(numbers(sent, "free", name).toSorted((a, b) => a - b), range(0, each));
      }
      assertEquals(await ledger.left(), { inbox: 0, outbox: 0, schedules: 0 });
    } finally {
      broker.close();
      await rm(folder, { recursive: true, force: true });
    }
  }, { timeoutInMs: 300_000 });
}
