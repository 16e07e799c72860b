/**
 * A process of its own on a file: `process.ts deploy <path>` makes the tables; `process.ts handle <path> <name> <count>`
 * handles so many messages, each once, and says a line for each.
 */
import process from "node:process";
import { systemClock } from "../../../src/runtime/system_clock.ts";
import { sqlite } from "../../../stores/sqlite/mod.ts";

const [doing = "", path = "", name = "", count = "0"] = process.argv.slice(2);
const store = sqlite({ path, synchronous: "normal" });
const { signal } = new AbortController();
await store.open({ bus: "orders", clock: systemClock, signal, status: () => {} });
if (doing === "deploy") await store.deploy("apply");
for (let at = 0; at < Number(count); at++) {
  const id = `${name} ${at}`;
  const inbox = [{ endpoint: "endpoint", messageId: id, keepUntil: 8e15 }];
  const unit = await store.begin({ bus: "orders", partition: id, inbox, signal });
  if (unit.duplicates[0] === true) {
    await unit.rollback();
    continue;
  }
  // Both ways to write: a transaction from here on, and all at the end.
  if (at % 2 === 0) await unit.tx.run("INSERT INTO own VALUES (?)", id);
  await unit.commit({
    sagas: [],
    outbox: [{
      id,
      group: id,
      key: `key ${at % 10}`,
      to: "queue:orders",
      frame: { contentType: "text/plain", headers: { at: BigInt(at) }, body: new Uint8Array([1]) },
      dueAt: 0,
      expiresAt: undefined,
    }],
    schedules: [],
  });
  process.stdout.write(`${id}\n`);
}
await store.close();
