/** What happens to a file of queues: many processes, a disk that is full, a reader that does not let go. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command, createBus, StoreFullError, StoreReadOnlyError } from "../../mod.ts";
import type { Transport } from "../../src/spi/transport.ts";
import { sqlite } from "../../stores/sqlite/mod.ts";
import { sqliteTransport } from "../../transports/sqlite/mod.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import type { Inbox } from "../conformance/transport/inbox.ts";
import { topology } from "../conformance/transport/trial.ts";
import { openNative } from "../stores/sqlite/native.ts";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";
import { Rig, withRig } from "../transports/sqlite/rig.ts";
import { start } from "./kill/child.ts";
import { fillUp, mount, noDisk, unmount } from "./small_disk.ts";

test(
  "ten processes send to and take from one file: each message is handled once, and none is left",
  () =>
    withRig({ clock: realTime(), deploy: ["in"] }, async (rig) => {
      const ledger = `${rig.path}.ledger`;
      writeFileSync(ledger, "");
      const count = 10 * share(60);
      const names = Array.from({ length: 10 }, (_, at) => `p${at}`);
      const children = names.map((name) => start("crowd_process.ts", [rig.path, ledger, name, count]));
      const lines = (): readonly (readonly string[])[] =>
        readFileSync(ledger, "utf8").split("\n").slice(0, -1).map((line) => line.split(" "));
      const of = (word: string): readonly (readonly string[])[] => lines().filter(([first]) => first === word);
      try {
        await eventually(rig.clock, "what all send", () => of("sent").length === names.length, 240_000);
        const transport = await rig.connect();
        let left = NaN;
        await eventually(rig.clock, "an empty queue", () => {
          void transport.admin?.count("in").then(({ waiting, active }) => left = waiting + (active ?? 0));
          return left === 0;
        }, 240_000);
        const sent = names.flatMap((name) => Array.from({ length: count }, (_, at) => `${name}-${at}`));
        assertEquals(of("took").map(([, text]) => text).toSorted(), sent.toSorted());
        assertEquals([...of("unsent"), ...of("unhandled")], []);
        assert(new Set(of("took").map(([, , name]) => name)).size > 1, "One process took all");
      } finally {
        for (const { process } of children) process.kill("SIGKILL");
        await Promise.all(children.map(({ ended }) => ended));
      }
    }),
  { timeoutInMs: 600_000 },
);

/** Sends texts one after the other, and says which were taken and what the others failed with. */
async function attempt(
  rig: Rig,
  transport: Transport,
  texts: readonly string[],
): Promise<{ readonly sent: readonly string[]; readonly failed: readonly unknown[] }> {
  const sent: string[] = [];
  const failed: unknown[] = [];
  for (const text of texts) {
    try {
      await rig.send(transport, "queue:in", { text });
      sent.push(text);
    } catch (error) {
      failed.push(error);
    }
  }
  return { sent, failed };
}

/** Bodies that begin with a name, and are as long as it says. */
function large(name: string, count: number, bytes: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${name}${at} `.padEnd(bytes, "."));
}

/** Accepts all that comes until so many have come, each once. */
async function takeAll(rig: Rig, inbox: Inbox, expected: readonly string[]): Promise<void> {
  await eventually(rig.clock, `${expected.length} messages`, () => inbox.received.length >= expected.length, 60_000);
  const short = (texts: readonly string[]): readonly string[] => texts.map((text) => text.slice(0, 12)).toSorted();
  assertEquals(short(inbox.texts), short(expected));
  await inbox.accept();
}

/** A disk without room, with and without messages under way: what fails is told, what was taken is kept. */
async function fill(
  rig: Rig,
  transport: Transport,
  limit: (full: boolean) => Promise<void>,
): Promise<void> {
  const before = await attempt(rig, transport, large("before", 20, 20_000));
  assertEquals(before.failed, []);
  await limit(true);
  const during = await attempt(rig, transport, large("during", 30, 200_000));
  assert(during.failed.length > 0, "There was room for all");
  for (const error of during.failed) assertInstanceOf(error, StoreFullError);
  // What is there can be taken, now or when there is room.
  const inbox = await rig.receive(transport, "in", { credit: 200 });
  await rig.clock.pass(500);
  await limit(false);
  const after = await attempt(rig, transport, large("after", 20, 200_000));
  assertEquals(after.failed, []);
  await takeAll(rig, inbox, [...before.sent, ...during.sent, ...after.sent]);
  const counts = await transport.admin?.count("in");
  assertEquals([counts?.waiting, counts?.active], [0, 0]);
  await openNative(rig.path, (database) => {
    assertEquals(database.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
  });
}

test(
  "a file that may not grow refuses what needs room, keeps what it has, and goes on when it may",
  () =>
    withRig({ clock: realTime(), deploy: ["in"] }, async (rig) => {
      const store = await rig.store();
      const transport = await rig.open(sqliteTransport(store));
      const { signal } = new AbortController();
      // Of this connection, which is the only one here that writes.
      const limit = async (pages: number): Promise<void> => {
        const unit = await store.begin({ bus: "orders", partition: "", inbox: [], signal });
        await unit.tx.get(`PRAGMA max_page_count = ${pages}`);
        await unit.rollback();
      };
      await fill(rig, transport, (full) => limit(full ? 1 : 1_000_000)); // it cannot be less than there are
    }),
);

test(
  "a disk that is full refuses what needs room, keeps what it has, and the file goes on when there is room",
  async () => {
    const disk = mkdtempSync(join(tmpdir(), "hero-disk-"));
    assert(mount(disk));
    try {
      const folder = join(disk, "queues");
      mkdirSync(folder);
      const rig = new Rig(join(folder, "queues.db"), realTime());
      const filler = join(disk, "filler");
      try {
        const transport = await rig.connect({});
        await transport.deploy(topology(["in"]), "apply");
        await fill(rig, transport, (full) => {
          if (full) fillUp(filler);
          else rmSync(filler);
          return Promise.resolve();
        });
        assertEquals(rig.violations, []);
      } finally {
        await rig.close();
      }
    } finally {
      unmount(disk);
      rmdirSync(disk);
    }
  },
  { skip: noDisk() },
);

const Kept = command<{ readonly number: number }>("file.kept");

/** Runs commands, each of which must succeed. */
function run(...commands: readonly (readonly [string, ...string[]])[]): void {
  for (const [program, ...args] of commands) {
    const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
  }
}

/** What makes only to be read what root may write: a mount. */
const readOnly: Readonly<Record<string, (disk: string, path: string) => { lock(): void; unlock(): void }>> = {
  "disk that can only be read": (disk) => ({
    lock: () => run(["mount", "-o", "remount,ro", disk]),
    unlock: () => run(["mount", "-o", "remount,rw", disk]),
  }),
  "file that can only be read, in a folder that can be written,": (_, path) => ({
    lock: () => run(["mount", "--bind", path, path], ["mount", "-o", "remount,ro,bind", path]),
    unlock: () => run(["umount", path]),
  }),
};

for (const [what, of] of Object.entries(readOnly)) {
  test(
    `a ${what} is refused at the start, with what to do, and nothing is lost`,
    async () => {
      const disk = mkdtempSync(join(tmpdir(), "hero-disk-"));
      assert(mount(disk));
      const handled: number[] = [];
      const path = join(disk, "orders.db");
      const made = () => {
        const store = sqlite({ path, synchronous: "normal" });
        const bus = createBus({ name: "orders", store, transport: sqliteTransport(store) });
        bus.endpoint("in", { outbox: true }).handle(Kept, ({ number }) => void handled.push(number));
        return bus;
      };
      try {
        const before = made();
        await before.start();
        await before.pause("in");
        for (const number of [1, 2, 3]) await before.send(Kept, { number });
        await before.schedule(Kept, { number: 4 }, { in: 0 });
        await before.stop();
        const { lock, unlock } = of(disk, path);
        lock();
        try {
          const during = made();
          const error = await assertRejects(() => during.start(), StoreReadOnlyError, "read-only");
          assertStringIncludes(error.message, disk);
          assertStringIncludes(error.message, "Grant this process the right to write there");
          await during.stop();
        } finally {
          unlock();
        }
        const after = made();
        await after.start();
        await eventually(realTime(), "all that was kept", () => handled.length >= 4, 30_000);
        await after.stop();
        assertEquals(handled.toSorted(), [1, 2, 3, 4]);
      } finally {
        unmount(disk);
        rmdirSync(disk);
      }
    },
    { skip: noDisk() },
  );
}

test(
  "a reader that holds a snapshot lets the log grow, hinders nobody, and the log shrinks when it is done",
  () =>
    withRig({ clock: realTime(), deploy: ["in"] }, async (rig) => {
      const transport = await rig.connect();
      const inbox = await rig.receive(transport, "in");
      const log = (): number => statSync(`${rig.path}-wal`).size;
      const mebibyte = 1_048_576;
      let number = 0;
      /** A mebibyte that is sent, taken and accepted. */
      const traffic = async (): Promise<void> => {
        const texts = large(`m${number++} `, 16, mebibyte / 16);
        await rig.send(transport, "queue:in", ...texts.map((text) => ({ text })));
        await eventually(rig.clock, "them", () => inbox.received.length >= texts.length, 30_000);
        await inbox.accept();
      };
      /** What it has at most when nobody reads, and is cut to. */
      const usual = 64 * mebibyte;
      const growth = usual * 1.5 + share(200) * mebibyte;
      await openNative(rig.path, async (database) => {
        database.exec("BEGIN");
        const count = (): unknown => database.prepare("SELECT count(*) AS messages FROM hero_queue_messages").get();
        const seen = count();
        // Each costs a mebibyte of the log at least.
        for (let at = 0; log() < growth; at++) {
          assert(at < 1_000, "The log does not grow");
          await traffic();
        }
        assertEquals(count(), seen, "The snapshot has changed");
        database.exec("COMMIT");
      });
      for (let at = 0; log() > usual * 1.25; at++) {
        assert(at < 100, `The log does not shrink: it has ${log()} bytes`);
        await traffic();
      }
    }),
  { timeoutInMs: 300_000 },
);
