import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  AlreadyStartedError,
  command,
  ConfigurationError,
  type Consumer,
  consumer,
  DuplicateContractError,
  DuplicateOwnerError,
  event,
  InvalidNameError,
  NotStartedError,
} from "../../mod.ts";
import { trial } from "../support/trial.ts";

const Work = command<{ id: number }>("endpoints.work");

trial("a command that two endpoints handle is refused at start, as it has one owner", async (t) => {
  const bus = t.bus();
  bus.endpoint("first").handle(Work, () => {});
  bus.endpoint("second").handle(Work, () => {});
  await assertRejects(() => bus.start(), DuplicateOwnerError, `"first" and "second"`);
});

trial("two contracts written under one name are called that, on two endpoints, too", async (t) => {
  const bus = t.bus();
  bus.endpoint("first").handle(Work, () => {});
  bus.endpoint("second").handle(command<{ id: string }>("endpoints.work"), () => {});
  await assertRejects(() => bus.start(), DuplicateContractError, `"endpoints.work", version 1`);
});

trial("an endpoint that is called as its address would be is refused: its queue had another name", async (t) => {
  const bus = t.bus();
  for (const name of ["queue:orders", "topic:orders"]) {
    assertThrows(() => bus.endpoint(name), InvalidNameError, "that is an address. Leave out what is before");
  }
  assertThrows(() => bus.add(consumer(Work, () => {}, { name: "queue:work" })), InvalidNameError, '"queue:work"');
  bus.endpoint("shop:orders").handle(Work, () => {});
  await bus.start();
});

trial("who asks for an endpoint too early is told to start the bus, not that there is no such endpoint", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Work, () => {});
  await assertRejects(() => bus.counts("work"), NotStartedError, `"work"`);
  await assertRejects(() => bus.pause("work"), NotStartedError);
  assertThrows(() => bus.statistics("work"), NotStartedError);
});

trial("what is no consumer is not added, the error says how to make one, and the bus starts without", async (t) => {
  const bus = t.bus();
  let endpoints = 0;
  // TypeScript would not let them pass.
  for (const bad of [Work, undefined, null, () => {}, "work", {}] as unknown as Consumer[]) {
    assertThrows(() => bus.add(bad), ConfigurationError, "consumer(contract, handler)");
    assertThrows(() => bus.endpoint(`e-${endpoints++}`).add(bad), ConfigurationError, "consumer(contract, handler)");
    await assertRejects(() => bus.connect(bad), ConfigurationError, "consumer(contract, handler)");
  }
  assertThrows(() => bus.add(undefined as unknown as Consumer), ConfigurationError, "it is undefined");
  await bus.start();
});

/** What JavaScript lets pass, and would be taken for something else. */
const wrong: Readonly<Record<string, object>> = {
  queue: { queue: "instances" },
  expired: { expired: "drop" },
  outbox: { outbox: "yes" },
  timeout: { timeout: 0 },
  subscribe: { subscribe: "false" },
  keepFailed: { keepFailed: 0 },
  publishFaults: { publishFaults: null },
  recoverability: { recoverability: "retry" },
};
for (const [option, options] of Object.entries(wrong)) {
  trial(`a value that { ${option} } does not know is refused at start, with those that it does`, async (t) => {
    const bus = t.bus();
    bus.endpoint("work", options).handle(Work, () => {});
    const error = await assertRejects(() => bus.start(), ConfigurationError, `The endpoint "work" cannot start`);
    assertStringIncludes(error.message, option);
  });
}

trial("a consumer needs a function, where it is made, and is added, not handled with", async (t) => {
  for (const bad of [undefined, null, {}, Work] as never[]) {
    assertThrows(() => consumer(Work, bad), ConfigurationError, "must be a function");
  }
  const endpoint = t.bus().endpoint("work");
  const work = consumer(Work, () => {});
  assertThrows(() => (endpoint.handle as (given: unknown) => unknown)(work), ConfigurationError, "Add it: .add()");
  endpoint.add(work);
  await t.settled();
});

trial("a second consumer of one event, or of one name, is told how to get an endpoint of its own", async (t) => {
  const Happened = event<{ id: number }>("endpoints.happened");
  const bus = t.bus();
  bus.add(consumer(Happened, () => {}));
  assertThrows(
    () => bus.add(consumer(Happened, () => {})),
    ConfigurationError,
    "consumer(contract, handler, { name })",
  );
  bus.add(consumer(Happened, () => {}, { name: "second" }));
  assertThrows(() => bus.add(consumer(Work, () => {}, { name: "second" })), ConfigurationError, "differently");
  await bus.start();
  assertEquals(bus.describe().endpoints.map(({ name }) => name), ["app-endpoints.happened", "second"]);
});

trial("a bus that is started twice says so, and points to connect for what comes too late", async (t) => {
  const bus = t.bus();
  await bus.start();
  const twice = await assertRejects(() => bus.start(), AlreadyStartedError);
  assertStringIncludes(twice.message, "again");
  assertThrows(() => bus.endpoint("late"), AlreadyStartedError, "bus.connect()");
});
