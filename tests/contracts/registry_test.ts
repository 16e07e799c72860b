import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type Definition, definitionOf } from "../../src/contracts/definition.ts";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { faultDefinition } from "../../src/contracts/fault.ts";
import { Registry } from "../../src/contracts/registry.ts";
import { ConfigurationError, DuplicateContractError } from "../../src/errors/configuration.ts";
import { test } from "../support/runner.ts";

const made = (name: string, options = {}): Definition => definitionOf(event(name, options), "it");

test("a contract is found by name and version", () => {
  const registry = new Registry();
  const [V1, V3] = [made("a"), made("a", { version: 3 })];
  registry.add(V3);
  registry.add(V1);
  assertEquals(registry.find("a", 1), V1);
  assertEquals(registry.find("a", 3), V3);
  assertEquals(registry.find("b", 1), undefined);
});

test("of a version that is not known, the nearest above is found, else the highest", () => {
  const registry = new Registry();
  const [V2, V5] = [made("a", { version: 2 }), made("a", { version: 5 })];
  registry.add(V2);
  registry.add(V5);
  assertEquals([1, 3, 4, 6, 100].map((version) => registry.find("a", version)?.version), [2, 5, 5, 5, 5]);
});

test("the same contract twice is once; another of its name and version is refused", () => {
  const registry = new Registry();
  const first = made("a");
  registry.add(first);
  registry.add(first);
  assertEquals([...registry.all()], [first]);
  const error = assertThrows(() => registry.add(made("a")), DuplicateContractError);
  assertEquals(error.code, "HERO_DUPLICATE_CONTRACT");
  assertStringIncludes(error.message, `"a", version 1`);
});

test("a contract and one made of it by upcast are two: one bus uses one of them", () => {
  const registry = new Registry();
  const V2 = event<{ id: string }>("a", { version: 2 });
  registry.add(definitionOf(V2, "it"));
  const upcast = V2.upcast(event<{ id: string }>("a"), (old) => old);
  assertThrows(() => registry.add(definitionOf(upcast, "it")), DuplicateContractError);
});

test("a command and an event of one name are refused, too", () => {
  const registry = new Registry();
  registry.add(made("a"));
  assertThrows(() => registry.add(definitionOf(command("a"), "it")), DuplicateContractError);
});

test("bases come with what derives from them", () => {
  const registry = new Registry();
  const Base = event<{ id: string }>("base");
  const Middle = event<{ id: string }>("middle", { extends: Base });
  registry.add(definitionOf(event<{ id: string }>("derived", { extends: Middle }), "it"));
  assertEquals([...registry.all()].map(({ name }) => name), ["base", "derived", "middle"]);
});

test("a fault brings the contract that it is of", () => {
  const registry = new Registry();
  registry.add(faultDefinition(made("a")));
  assertEquals([...registry.all()].map(({ name }) => name), ["a", "fault:a"]);
});

test("the faults of two contracts of one name and version are refused as those contracts are", () => {
  const registry = new Registry();
  registry.add(faultDefinition(made("a")));
  assertThrows(() => registry.add(faultDefinition(made("a"))), DuplicateContractError, `"a"`);
});

test("a contract that is its own base, by whatever way, is refused and named", () => {
  // Not to be made by the functions: from a copy of the package, or by tampering, it must not hang the bus.
  const loop: { -readonly [K in keyof Definition]: Definition[K] } = { ...made("loop") };
  const middle = { ...made("middle"), base: loop };
  loop.base = middle;
  const error = assertThrows(() => new Registry().add(loop), ConfigurationError);
  assertStringIncludes(error.message, `"loop"`);
  assertStringIncludes(error.message, "circle");
});

test("a contract that is refused leaves nothing of itself behind", () => {
  const registry = new Registry();
  registry.add(made("base"));
  const Base = event<{ id: string }>("base");
  const Derived = event<{ id: string }>("derived", { extends: Base });
  assertThrows(() => registry.add(definitionOf(Derived, "it")), DuplicateContractError);
  assertEquals(registry.find("derived", 1), undefined);
});

test("all contracts are listed by name, then version", () => {
  const registry = new Registry();
  for (const definition of [made("b"), made("a", { version: 2 }), made("a")]) registry.add(definition);
  assertEquals([...registry.all()].map(({ name, version }) => `${name} ${version}`), ["a 1", "a 2", "b 1"]);
});
