import { assert, assertEquals, assertExists } from "@std/assert";
import { test } from "../support/runner.ts";
import { cycles, whyNot } from "./import_rules.ts";
import { codeOf, importsOf, publishedModules } from "./sources.ts";

const modules = publishedModules();
const imports = new Map(modules.map((file) => [file, importsOf(file)]));

test("published sources import only what stands above them", () => {
  const offences = [...imports].flatMap(([from, targets]) =>
    targets.flatMap((to) => {
      const reason = whyNot(from, to);
      return reason === undefined ? [] : [`${from} imports ${to}: ${reason}`];
    })
  );

  assertEquals(offences, []);
});

test("published sources import one another in no circle, types included", () => {
  assertEquals(cycles(imports), []);
});

test("every import of a published source leads to a published source", () => {
  const known = new Set(modules);
  const lost = [...imports].flatMap(([from, targets]) =>
    targets.filter((to) => to.endsWith(".ts") && !known.has(to)).map((to) => `${from} imports ${to}`)
  );

  assertEquals(lost, []);
});

test("only entry points re-export, and by name", () => {
  const offences = modules.filter((file) => {
    const [anything, everything] = [/^export\b[^;=(]*?\bfrom "/m, /^export \*/m];
    const code = codeOf(file);
    return everything.test(code) || anything.test(code) && !/(^|\/)mod\.ts$/.test(file);
  });

  assertEquals(offences, []);
});

test("the scan sees imports of every spelling", () => {
  const seen = importsOf("src/spi/mod.ts");

  assert(seen.includes("src/spi/frame.ts"), `Found only ${seen}`);
  assert([...imports.values()].flat().length > modules.length / 2, "Too few imports were found to trust the scan");
});

for (
  const [from, to] of [
    ["src/errors/sending.ts", "src/values/duration.ts"],
    ["src/contracts/command.ts", "src/bus/bus.ts"],
    ["src/bus/bus.ts", "transports/memory/mod.ts"],
    ["src/bus/create_bus.ts", "transports/rabbitmq/mod.ts"],
    ["src/testing/create_harness.ts", "stores/memory/mod.ts"],
    ["transports/memory/mod.ts", "src/bus/bus.ts"],
    ["transports/kafka/mod.ts", "transports/rabbitmq/frame.ts"],
    ["transports/memory/mod.ts", "amqplib"],
    ["stores/memory/mod.ts", "stores/sqlite/file.ts"],
    ["stores/sqlite/store.ts", "transports/sqlite/messages.ts"],
    ["transports/sqlite/mod.ts", "stores/postgres/database.ts"],
    ["scheduling/due_loop.ts", "src/pipeline/compose.ts"],
    ["src/bus/bus.ts", "mod.ts"],
    ["src/bus/bus.ts", "tests/support/runner.ts"],
    ["src/values/duration.ts", "node:async_hooks"],
    ["src/utilities/strings.ts", "src/errors/hero_error.ts"],
  ] as const
) {
  test(`the rules forbid ${from} to import ${to}`, () => {
    assertExists(whyNot(from, to));
  });
}

for (
  const [from, to] of [
    ["src/bus/create_bus.ts", "transports/memory/mod.ts"],
    ["src/runtime/async_context.ts", "node:async_hooks"],
    ["transports/postgres/mod.ts", "stores/postgres/database.ts"],
    ["transports/sqlite/transport.ts", "stores/sqlite/store.ts"],
    ["transports/rabbitmq/connection.ts", "amqplib"],
    ["mod.ts", "transports/memory/mod.ts"],
  ] as const
) {
  test(`the rules let ${from} import ${to}`, () => {
    assertEquals(whyNot(from, to), undefined);
  });
}

test("a circle of imports is found, however long", () => {
  const circle = new Map([["a", ["b"]], ["b", ["c"]], ["c", ["a", "d"]], ["d", ["e"]], ["e", []]]);

  assertEquals(cycles(circle), [["a", "b", "c"]]);
  assertEquals(cycles(new Map([["a", ["b", "c"]], ["b", ["c"]], ["c", []]])), []);
});
