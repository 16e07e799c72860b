import { assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { z } from "zod";
import { command } from "../../src/contracts/command.ts";
import { definitionOf } from "../../src/contracts/definition.ts";
import { event } from "../../src/contracts/event.ts";
import { fault } from "../../src/contracts/fault.ts";
import { query } from "../../src/contracts/query.ts";
import { ConfigurationError, InvalidDurationError, InvalidNameError } from "../../src/errors/configuration.ts";
import { shown } from "../../src/errors/shown.ts";
import { type } from "../../src/values/schema.ts";
import { test } from "../support/runner.ts";

/** As from JavaScript, where types do not help. */
function untyped(options: object): never {
  return options as never;
}

test("a contract has its kind, its name, and version 1 unless said otherwise", () => {
  const made = [command("a.b"), event("c"), query("d", { schema: type<{ id: string }>() })];
  assertEquals(made.map(({ kind, name, version }) => [kind, name, version]), [
    ["command", "a.b", 1],
    ["event", "c", 1],
    ["query", "d", 1],
  ]);
  assertEquals(event("c", { version: 7 }).version, 7);
});

for (const name of ["", " ", "a b", "a,b", "a;v=2", "a\n", "é", ".a", "a".repeat(201), "a/b", "a\u0000"]) {
  test(`a contract cannot be called ${JSON.stringify(name.slice(0, 20))}`, () => {
    for (const make of [() => command(name), () => event(name), () => query(name)]) {
      const error = assertThrows(make, InvalidNameError);
      assertEquals(error.code, "HERO_INVALID_NAME");
      assertStringIncludes(error.message, "a contract");
    }
  });
}

test("a contract can be called by up to 200 letters, digits and . _ - : +", () => {
  for (const name of ["a", "_", "Orders:Order+Submitted-2.v_1", "a".repeat(200), "urn:message:Orders"]) {
    assertEquals(event(name).name, name);
  }
});

test("a name that is no text is refused", () => {
  for (const name of [undefined, null, 5, {}, Symbol("a")]) {
    assertThrows(() => event(name as never), InvalidNameError, "not a text");
  }
});

test("the library's own prefixes are not the application's", () => {
  for (const name of ["fault:orders", "reply:orders"]) assertThrows(() => event(name), InvalidNameError, "prefixes");
});

for (const version of [0, -1, 1.5, NaN, Infinity, 2 ** 53, "2"]) {
  test(`version ${String(version)} is refused`, () => {
    const error = assertThrows(() => event("orders.bad", untyped({ version })), ConfigurationError);
    assertStringIncludes(error.message, `"orders.bad" the version ${shown(version)}`);
  });
}

for (const priority of [-1, 256, 1.5, NaN, "high"]) {
  test(`priority ${priority} is refused`, () => {
    assertThrows(() => command("orders.bad", untyped({ priority })), ConfigurationError, "from 0 to 255");
  });
}
test("priorities 0 and 255 are accepted", () => {
  const priorities = [0, 255].map((priority) => definitionOf(command("a", { priority }), "it").priority);
  assertEquals(priorities, [0, 255]);
});

test("a key must be a function", () => {
  assertThrows(() => event("orders.bad", untyped({ key: "orderId" })), ConfigurationError, `the key of "orders.bad"`);
});

test("a ttl of 0 is refused, as every message would have expired", () => {
  for (const ttl of [0, "0s", -0] as const) {
    assertThrows(() => event("orders.bad", { ttl }), ConfigurationError, `"orders.bad" a ttl of 0`);
  }
});
test("a ttl that is no duration is refused", () => {
  for (const ttl of [-5, "-5s", "5 s", NaN, Infinity, "", "1e3ms"]) {
    assertThrows(() => event("orders.bad", untyped({ ttl })), InvalidDurationError);
  }
});
test("a ttl is rounded up to whole milliseconds", () => {
  const ttls = ([5000, "5s", 0.4, 1500.7, 5_000_000_000] as const)
    .map((ttl) => definitionOf(event("a", { ttl }), "it").ttlInMs);
  assertEquals(ttls, [5000, 5000, 1, 1501, 5_000_000_000]);
});

for (const to of ["orders", "queue:", "queue:a b", "topic:", "exchange:x", "", 5]) {
  test(`a contract cannot be sent to ${JSON.stringify(to)}, and says so when it is made`, () => {
    const error = assertThrows(() => command("orders.bad", untyped({ to })), ConfigurationError);
    assertStringIncludes(error.message, "orders.bad");
    assertStringIncludes(error.message, "queue:");
  });
}

test("an event has no owner: a `to` from JavaScript is refused", () => {
  assertThrows(() => event("orders.bad", untyped({ to: "queue:orders" })), ConfigurationError, "no owner");
});

test("a schema that is none is refused when the contract is made", () => {
  for (const schema of [{}, 5, "zod", () => true, { "~standard": {} }, { "~standard": { version: 1, vendor: "x" } }]) {
    const error = assertThrows(() => event("orders.bad", untyped({ schema })), ConfigurationError);
    assertStringIncludes(error.message, `the schema of "orders.bad"`);
    assertThrows(() => command("orders.bad", untyped({ reply: schema })), ConfigurationError, "the reply");
  }
});

test("a schema in place of the options is refused, and where it belongs is said", () => {
  for (const schema of [z.object({ id: z.string() }), type<{ id: string }>()]) {
    assertThrows(() => event("orders.bad", untyped(schema)), ConfigurationError, "Write { schema }");
    assertThrows(() => query("orders.bad", untyped(schema)), ConfigurationError, "Write { schema }");
  }
});

test("type() validates nothing, and a contract with it has no schema to ask", () => {
  assertEquals(definitionOf(event("a", { schema: type<{ id: string }>() }), "it").schema, undefined);
});

test("bases and replies must be contracts", () => {
  assertThrows(() => event("a", untyped({ extends: {} })), ConfigurationError, `the base of "a"`);
  assertThrows(
    () => query("a", untyped({ replies: { found: "orders.found" } })),
    ConfigurationError,
    `the reply "found"`,
  );
});

test("a reply of a kind that was not declared is not found, whatever it is called", () => {
  const Found = event<{ id: string }>("found");
  const definition = definitionOf(query("a", { schema: type<{ id: string }>(), replies: { found: Found } }), "it");
  assertEquals(definition.replies?.["found"], definitionOf(Found, "it"));
  for (const kind of ["constructor", "toString", "__proto__"]) assertEquals(definition.replies?.[kind], undefined);
});

test("an upcast starts from an earlier version of the same name", () => {
  const V1 = event<{ id: string }>("a");
  const V2 = event<{ id: string }>("a", { version: 2 });
  assertThrows(() => V2.upcast(V2, (old) => old), ConfigurationError, `"a" version 2 to "a" version 2`);
  assertThrows(() => V1.upcast(V2, (old) => old), ConfigurationError, "earlier version");
  assertThrows(() => V2.upcast(event<{ id: string }>("b"), (old) => old), ConfigurationError, "same name");
  assertThrows(() => V2.upcast({} as never, () => ({ id: "" })), ConfigurationError, "not a contract");
  assertThrows(() => V2.upcast(V1, "no" as never), ConfigurationError, "function");
});

test("an upcast gives a new contract and leaves the old one as it was", () => {
  const V1 = event<{ id: string }>("a");
  const V2 = event<{ id: string }>("a", { version: 2, key: (m) => m.id });
  const upcast = V2.upcast(V1, (old) => old);
  assertEquals(definitionOf(V2, "it").upcasts.length, 0);
  assertEquals(definitionOf(upcast, "it").upcasts.length, 1);
  assertEquals([upcast.name, upcast.version, upcast.kind], ["a", 2, "event"]);
  assertEquals(definitionOf(upcast, "it").key?.({ id: "k" }), "k");
});

test("what is no contract is refused by name of what it should have been", () => {
  for (const value of [undefined, null, "orders.submit", {}, 5, () => {}]) {
    const error = assertThrows(() => definitionOf(value, "the contract to send"), ConfigurationError);
    assertStringIncludes(error.message, "the contract to send");
    assertInstanceOf(error, ConfigurationError);
  }
});

test("the fault of a contract is one contract, however often it is asked for", () => {
  const Submit = command<{ id: string }>("orders.submit", { version: 3 });
  assertEquals(fault(Submit), fault(Submit));
  assertEquals([fault(Submit).name, fault(Submit).version, fault(Submit).kind], ["fault:orders.submit", 3, "event"]);
});

test("the fault of a derived message is also one of its base", () => {
  const Base = event<{ id: string }>("base");
  const Derived = event<{ id: string }>("derived", { extends: Base });
  assertEquals(definitionOf(fault(Derived), "it").base, definitionOf(fault(Base), "it"));
});

test("a fault of something that is no contract is refused", () => {
  assertThrows(() => fault({} as never), ConfigurationError, "the contract of a fault");
});

test("a routing key that is no function is refused where it is given", () => {
  const options = { routingKey: "eu" as unknown as () => string };
  assertThrows(() => event("orders.placed", options), ConfigurationError, "routing key");
});
