import { assertEquals, assertThrows } from "@std/assert";
import { InvalidNameError } from "../../src/errors/configuration.ts";
import { checkName, isDestination, queueName, topicName } from "../../src/values/destination.ts";
import { test } from "../support/runner.ts";

const wrong: unknown[] = [
  ...["", " ", "a b", "a\n", "a\u0000", "a\tb", "a/b", "a;v=2", "a,b", "a=b", "ä", "é", "😀", "\ud800", "a#", "a*"],
  ...[".", "..", ".a", "-a", ":a", "+a", "a".repeat(201), undefined, null, 5, 5n, {}, Symbol("s")],
];

test("an address is taken apart", () => {
  assertEquals(queueName("queue:orders"), "orders");
  assertEquals(queueName("topic:orders"), undefined);
  assertEquals(topicName("topic:a:b"), "a:b");
  assertEquals(topicName("amqp://localhost/orders"), undefined);
});

test("names that every broker can hold are allowed", () => {
  for (
    const name of [
      "a",
      "orders.submit-order",
      "fault:orders.order",
      "a_error",
      "_a",
      "Shop+Order",
      "9",
      "a".repeat(200),
    ]
  ) {
    assertEquals(checkName("a contract", name), name);
    assertEquals(isDestination(`queue:${name}`), true);
    assertEquals(isDestination(`topic:${name}`), true);
  }
});

test("other names are refused, with what is wrong and the rule", () => {
  for (const name of wrong) {
    const error = assertThrows(() => checkName("an endpoint", name), InvalidNameError, "A name has 1 to 200 letters");
    assertEquals(error.details, { what: "an endpoint", name });
    assertEquals(error.message.isWellFormed(), true);
  }
  assertThrows(() => checkName("a bus", "a b"), InvalidNameError, `Cannot name a bus "a b": it contains " ".`);
  assertThrows(() => checkName("a bus", "😀"), InvalidNameError, `it contains "😀".`);
});

test("what is not an address with a good name is no destination", () => {
  for (const name of wrong) assertEquals(isDestination(typeof name === "string" ? `queue:${name}` : name), false);
  for (const value of ["orders", "queue:", "topic:", "Queue:a", "exchange:a", "queue"]) {
    assertEquals(isDestination(value), false);
  }
});
