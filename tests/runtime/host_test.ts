import jsr from "../../jsr.json" with { type: "json" };
import { assert, assertEquals, assertMatch } from "@std/assert";
import { hostInfo, version } from "../../src/runtime/host.ts";
import { runtime, test } from "../support/runner.ts";

test("a host tells its runtime, process, bus and the library's version", () => {
  const host = hostInfo("orders");
  assertEquals([host.bus, host.version, host.machine], ["orders", version, "unknown"]);
  assertMatch(host.runtime, { deno: /^Deno \d/, bun: /^Bun \d/, node: /^Node\.js \d/ }[runtime]);
  assert(Number.isInteger(host.processId) && host.processId > 0);
  assert(host.process !== "");
});

test("the library's version is the package's", () => {
  assertEquals(version, jsr.version);
});

test("the application's own knowledge comes first", () => {
  const host = hostInfo("orders", { machine: "m1", process: "shop", processId: 7, runtime: "other" });
  assertEquals(host, { machine: "m1", process: "shop", processId: 7, runtime: "other", bus: "orders", version });
});

test("where the runtime tells nothing, or throws, a host can still be named", () => {
  const globals = globalThis as { process?: unknown };
  const original = Object.getOwnPropertyDescriptor(globalThis, "process");
  const throwing = new Proxy({}, {
    get() {
      throw new Error("not allowed");
    },
  });
  try {
    for (const value of [undefined, throwing]) {
      Object.defineProperty(globals, "process", { value, configurable: true, writable: true });
      const host = hostInfo("orders");
      // Deno tells by itself what Node tells by `process`.
      assertEquals(host.processId, (globalThis as { Deno?: { pid: number } }).Deno?.pid ?? 0);
      assertMatch(host.runtime, { deno: /^Deno/, bun: /^Bun/, node: /^Node\.js/ }[runtime]);
      assertEquals(host.process, runtime === "deno" ? "deno" : host.runtime);
    }
  } finally {
    if (original !== undefined) Object.defineProperty(globals, "process", original);
  }
});
