import { assertEquals } from "@std/assert";
import { definitionOf } from "../../src/contracts/definition.ts";
import { event } from "../../src/contracts/event.ts";
import { messageType, parseMessageType } from "../../src/envelope/message_type.ts";
import { test } from "../support/runner.ts";

test("a type names the contract first, then its bases, versions above 1 said", () => {
  const Base = event<{ id: string }>("base");
  const Middle = event<{ id: string }>("middle", { extends: Base, version: 3 });
  const Derived = event<{ id: string }>("derived", { extends: Middle, version: 2 });
  const type = messageType(definitionOf(Derived, "it"));
  assertEquals(type, "derived;v=2, middle;v=3, base");
  assertEquals(parseMessageType(type), [
    { name: "derived", version: 2 },
    { name: "middle", version: 3 },
    { name: "base", version: 1 },
  ]);
});

test("spaces and parameters that nobody knows do no harm", () => {
  assertEquals(parseMessageType("  a ; v=2 ;x=1 ,b,, ,c;v=;d=2"), [
    { name: "a", version: 2 },
    { name: "b", version: 1 },
    { name: "c", version: 1 },
  ]);
});

test("a version that is none is 1", () => {
  for (const bad of ["a;v=0", "a;v=-1", "a;v=x", "a;v=1.5", "a;v=99999999999"]) {
    assertEquals(parseMessageType(bad), [{ name: "a", version: 1 }]);
  }
});

test("nothing but separators names nothing", () => {
  for (const text of ["", " ", ",,,", ";v=2", " ; , ;"]) assertEquals(parseMessageType(text), []);
});

test("a hostile type of a million names is cut", () => {
  assertEquals(parseMessageType("a,".repeat(1_000_000)).length, 64);
});
