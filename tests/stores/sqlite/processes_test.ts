import { assert, assertEquals } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { realTime } from "../../conformance/test_clock.ts";
import { runtime, test } from "../../support/runner.ts";
import { runtimeCommand } from "../../support/runtimes.ts";
import { openNative } from "./native.ts";
import { bus, withStore } from "./fixture.ts";

const file = fileURLToPath(new URL("process.ts", import.meta.url));

interface Child {
  readonly process: ChildProcess;
  /** What it has handled so far. */
  readonly handled: string[];
  /** How it ended; what it said if it did not end well. */
  readonly ended: Promise<string>;
}

/** Starts a process of the runtime at hand. */
function start(doing: string, path: string, name = "", count = 0, handled = (_: number): void => {}): Child {
  const [program, ...first] = runtimeCommand(runtime);
  const flags = runtime === "deno" ? ["run", "-A", "--no-check"] : [];
  const process = spawn(program, [...first, ...flags, file, doing, path, name, String(count)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  let [rest, errors] = ["", ""];
  process.stdout.setEncoding("utf8").on("data", (text: string) => {
    const all = (rest + text).split("\n");
    rest = all.pop() ?? "";
    lines.push(...all);
    handled(lines.length);
  });
  process.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  const ended = new Promise<string>((resolve, reject) => {
    process.on("error", reject);
    process.on("close", (status, signal) => resolve(status === 0 ? "well" : signal ?? errors));
  });
  return { process, handled: lines, ended };
}

/** What is in the tables. */
function counts(path: string): Promise<Readonly<Record<string, number>>> {
  return openNative(path, (database) => {
    const count = (sql: string): number => Number(database.prepare(`SELECT count(*) AS n FROM ${sql}`).get()?.["n"]);
    return {
      inbox: count("hero_inbox"),
      outbox: count("hero_outbox"),
      own: count("own"),
      different: count("(SELECT DISTINCT text FROM own)"),
      halves: count("own WHERE NOT EXISTS (SELECT 1 FROM hero_inbox WHERE message_id = text)"),
    };
  });
}
const makeOwn = (path: string): Promise<void> =>
  openNative(path, (database) => database.exec("CREATE TABLE own (text TEXT NOT NULL)"));

test(
  "two processes handle 1,000 messages each on one file, and no lock is an error (case 35)",
  () =>
    withStore({ clock: realTime() }, async ({ path, store }) => {
      await makeOwn(path);
      const children = ["one", "other"].map((name) => start("handle", path, name, 1_000));
      assertEquals(await Promise.all(children.map(({ ended }) => ended)), ["well", "well"]);
      assertEquals(await counts(path), { inbox: 2_000, outbox: 2_000, own: 1_000, different: 1_000, halves: 0 });
      assertEquals((await store.outbox.stats(bus)).waiting, 2_000);
    }),
  { timeoutInMs: 180_000 },
);

test(
  "two processes that handle the same messages have each effect once",
  () =>
    withStore({ clock: realTime() }, async ({ path }) => {
      await makeOwn(path);
      const children = [1, 2].map(() => start("handle", path, "same", 300));
      const ends = await Promise.all(children.map(({ ended }) => ended));
      // Whoever comes second while both are at it is told so, and ends; the other goes on.
      assert(ends.includes("well"), ends.join("\n"));
      for (const end of ends) assert(end === "well" || end.includes("DuplicateError"), end);
      assertEquals(await counts(path), { inbox: 300, outbox: 300, own: 150, different: 150, halves: 0 });
    }),
  { timeoutInMs: 180_000 },
);

test(
  "ten processes that deploy at once make the tables once",
  () =>
    withStore({ clock: realTime(), deploy: false }, async ({ path, store }) => {
      const children = Array.from({ length: 10 }, () => start("deploy", path));
      assertEquals(await Promise.all(children.map(({ ended }) => ended)), children.map(() => "well"));
      assertEquals(await store.deploy("check"), []);
    }),
  { timeoutInMs: 180_000 },
);

test(
  "a process that is killed leaves whole units behind, and the next one goes on",
  () =>
    withStore({ clock: realTime() }, async ({ path }) => {
      await makeOwn(path);
      let done = 0;
      for (const more of [1, 17, 58, 101]) {
        const child = start("handle", path, "killed", 1_000_000, (lines) => {
          if (lines >= more) child.process.kill("SIGKILL");
        });
        const end = await child.ended;
        assertEquals(end, "SIGKILL");
        const { inbox = 0, outbox, own, different, halves } = await counts(path);
        assert(
          inbox >= done + child.handled.length,
          `${inbox} messages are known, ${child.handled.length} were handled`,
        );
        assertEquals([outbox, own, different, halves], [inbox, Math.ceil(inbox / 2), Math.ceil(inbox / 2), 0]);
        done = inbox;
      }
      const all = done + 50;
      const half = Math.ceil(all / 2);
      assertEquals(await start("handle", path, "killed", all).ended, "well");
      assertEquals(await counts(path), { inbox: all, outbox: all, own: half, different: half, halves: 0 });
    }),
  { timeoutInMs: 180_000 },
);
