import { assertEquals, assertMatch } from "@std/assert";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import process from "node:process";
import client from "postgres";
import { postgresDatabase, sqliteDatabase } from "../../examples/orders/database.ts";
import { runDay, unbalanced } from "../../examples/orders/day.ts";
import { startService } from "../../examples/orders/service.ts";
import { addMail } from "../../examples/orders/tables.ts";
import { skip as noPostgres, url as postgresUrl } from "../stores/postgres/server.ts";
import { runtime, test } from "../support/runner.ts";
import { runtimeCommand } from "../support/runtimes.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

async function inFolder(work: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "hero-orders-"));
  try {
    await work(join(folder, "orders.db"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Only so that what gets lost fails the test instead of hanging it. */
const patience = (): AbortSignal => AbortSignal.timeout(50_000);

test("the order service accounts for every order, row, mail and schedule, day after day on one file", () =>
  inFolder(async (path) => {
    for (const day of ["monday", "tuesday"]) {
      const database = sqliteDatabase(path);
      const bus = await startService({ database, paymentTime: "1s" });
      try {
        const accounts = await runDay(bus, database, { day, orders: 20, signal: patience() });
        assertEquals(unbalanced(accounts), []);
        assertEquals(accounts.map(({ actual }) => actual.length), [20, 40, 20]);
        // Placed and its doubles, paid, closed: nothing was handled twice.
        const { consumed, duplicate } = bus.statistics("orders");
        assertEquals([consumed >= 40, duplicate], [true, 20]);
      } finally {
        await bus.stop();
      }
    }
  }));

/** A database of its own on the server that tests use. */
async function inDatabase(work: (url: string) => Promise<void>): Promise<void> {
  const server = client(postgresUrl, { max: 1, onnotice: () => {} });
  const name = `orders_${process.pid}_${Math.floor(performance.timeOrigin + performance.now()).toString(36)}`;
  const own = new URL(postgresUrl);
  own.pathname = `/${name}`;
  await server.unsafe(`CREATE DATABASE ${name}`);
  try {
    await work(own.href);
  } finally {
    await server.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
    await server.end();
  }
}

test("the order service is the same on PostgreSQL", () =>
  inDatabase(async (url) => {
    const database = await postgresDatabase(url);
    const bus = await startService({ database, paymentTime: "1s" });
    try {
      const accounts = await runDay(bus, database, { day: "monday", orders: 20, signal: patience() });
      assertEquals(unbalanced(accounts), []);
      assertEquals(accounts.map(({ actual }) => actual.length), [20, 40, 20]);
      assertEquals(bus.statistics("orders").duplicate, 20);
    } finally {
      await bus.stop();
    }
  }), { skip: noPostgres });

test("the order service's accounts do not balance where a mail is too many", () =>
  inFolder(async (path) => {
    const database = sqliteDatabase(path);
    const bus = await startService({ database, paymentTime: "1s" });
    try {
      await bus.transaction((tx) => addMail(database.sql(tx), "monday-000000", "paid"));
      const accounts = await runDay(bus, database, { day: "monday", orders: 2, signal: patience() });
      const [line = "", ...others] = unbalanced(accounts);
      assertMatch(line, /^each customer had two mails: 0 are missing, 1 too many/);
      assertEquals(others, []);
    } finally {
      await bus.stop();
    }
  }));

test("the order service is a program that ends with 0", () =>
  inFolder(async (path) => {
    const [command, ...first] = runtimeCommand(runtime);
    const flags = {
      deno: ["run", "-A", "--no-check"],
      bun: [],
      node: ["--import", "./tests/support/resolve_imports.ts"],
    };
    const options = [...first, ...flags[runtime], "examples/orders/main.ts", "--file", path, "--orders", "10"];
    const child = spawn(command, options, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
    child.stderr.setEncoding("utf8").on("data", (text: string) => output += text);
    const status = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
    assertMatch(output, /each customer had two mails: 20\n[^]*everything is accounted for/);
    assertEquals(status, 0);
  }));
