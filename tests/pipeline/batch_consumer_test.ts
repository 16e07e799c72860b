import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  batchConsumer,
  command,
  ConfigurationError,
  consumer,
  createMediator,
  event,
  InvalidDurationError,
} from "../../mod.ts";
import { createTestHarness } from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";
import { trial } from "../support/trial.ts";

interface Reading {
  readonly sensor: string;
  readonly value: number;
}
const ReadingTaken = event<Reading>("sensors.reading-taken");

/** Three at once, and what was in each batch. */
function collecting(batches: number[][], name?: string) {
  return batchConsumer(
    ReadingTaken,
    { size: 3, within: "1m", ...(name === undefined ? {} : { name }) },
    (batch) => void batches.push(batch.map(({ message }) => message.value)),
  );
}

trial("a batch consumer is added to a bus, on an endpoint of its own name", async (t) => {
  const batches: number[][] = [];
  const bus = t.bus();
  bus.add(collecting(batches, "readings"));
  await bus.start();
  for (const value of [1, 2, 3]) await bus.publish(ReadingTaken, { sensor: "a", value });
  await t.settled();

  assertEquals(batches, [[1, 2, 3]]);
  assertEquals(bus.statistics("readings").consumed, 3);
});

trial("a batch consumer is added to an endpoint, beside consumers of single messages", async (t) => {
  const batches: number[][] = [];
  const singly: number[] = [];
  const bus = t.bus();
  bus.endpoint("readings")
    .add(collecting(batches))
    .add(consumer(ReadingTaken, ({ value }) => void singly.push(value)));
  await bus.start();
  for (const value of [1, 2, 3]) await bus.publish(ReadingTaken, { sensor: "a", value });
  await t.settled();

  assertEquals(batches, [[1, 2, 3]]);
  assertEquals(singly.toSorted(), [1, 2, 3]);
});

trial("a batch consumer is connected to a bus that runs", async (t) => {
  const batches: number[][] = [];
  const bus = t.bus();
  await bus.start();
  const connection = await bus.connect(collecting(batches));
  for (const value of [1, 2, 3]) await bus.publish(ReadingTaken, { sensor: "a", value });
  await t.settled();
  await connection.disconnect();

  assertEquals(batches, [[1, 2, 3]]);
});

test("a harness runs a batch consumer, and settles when its batch has been waited for", async () => {
  const batches: number[][] = [];
  const harness = await createTestHarness(collecting(batches));
  try {
    await harness.publish(ReadingTaken, { sensor: "a", value: 1 });
    await harness.settled();

    assertEquals(batches, [[1]]);
  } finally {
    await harness[Symbol.asyncDispose]();
  }
});

test("options of a batch consumer are checked where it is made", () => {
  assertThrows(() => batchConsumer(ReadingTaken, { size: 0 }, () => {}), ConfigurationError, "whole number");
  assertThrows(() => batchConsumer(ReadingTaken, { within: "soon" as "1s" }, () => {}), InvalidDurationError);
  assertThrows(() => batchConsumer({} as typeof ReadingTaken, {}, () => {}), ConfigurationError, "not a contract");
  assertThrows(() => batchConsumer(ReadingTaken, {}, undefined as never), ConfigurationError, "third argument");
});

test("a mediator refuses a batch consumer, as calls are not collected", () => {
  const error = assertThrows(() => createMediator().add(collecting([])), ConfigurationError);

  assertStringIncludes(error.message, `Cannot add the batch consumer "sensors.reading-taken"`);
});

test("a batch consumer's handler gets what its contract says, and queries are collected by none", () => {
  const Ask = command<{ id: string }>("sensors.ask");
  batchConsumer(Ask, { by: ({ id }) => id }, (batch) => void batch.map(({ message: { id } }) => id));
  // @ts-expect-error -- there is no such property
  batchConsumer(Ask, {}, (batch) => void batch.map(({ message }) => message.value));
  // @ts-expect-error -- keys are texts
  batchConsumer(ReadingTaken, { by: ({ value }) => value }, () => {});
});
