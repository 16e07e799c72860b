import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  batchConsumer,
  command,
  ConfigurationError,
  consumer,
  createBus,
  createMediator,
  event,
  memory,
  retry,
} from "../../mod.ts";
import { checkOptionNames } from "../../src/values/option_names.ts";
import { sqlite } from "../../stores/sqlite/mod.ts";
import { rabbitmq } from "../../transports/rabbitmq/mod.ts";
import { sqliteTransport } from "../../transports/sqlite/mod.ts";
import { postgres } from "../../stores/postgres/mod.ts";
import { postgresTransport } from "../../transports/postgres/mod.ts";
import { test } from "../support/runner.ts";

const names = { concurrency: true, prefetch: true, retry: true } as const;
const refused = (name: string): ConfigurationError =>
  assertThrows(() => checkOptionNames({ [name]: 1 }, names, "the endpoint"), ConfigurationError);

for (const [typo, meant] of [["concurency", "concurrency"], ["preFetch", "prefetch"], ["retries", "retry"]] as const) {
  test(`{ ${typo} } is refused, and { ${meant} } named`, () => {
    const error = refused(typo);

    assertStringIncludes(error.message, `Cannot use { ${typo} } for the endpoint: there is no such option`);
    assertStringIncludes(error.message, `Write { ${meant} } if that is meant`);
    assertEquals(error.details, { option: typo, nearest: meant });
  });
}

test("what is near to nothing is refused with all that there is", () => {
  assertStringIncludes(refused("serialisation").message, "It may have { concurrency, prefetch, retry }");
  assertStringIncludes(refused("x").message, "It may have");
  assertStringIncludes(refused("toString").message, "no such option");
});

test("options that there are pass, also those that are undefined or inherited", () => {
  checkOptionNames({ concurrency: 1, retry: undefined }, names, "the endpoint");
  checkOptionNames(Object.create({ anything: 1 }), names, "the endpoint");
});

test("what is no object of options is refused with all that there is, and not taken letter by letter", () => {
  for (const given of ["fast", 3, null, true, () => {}]) {
    const error = assertThrows(() => checkOptionNames(given as never, names, "the endpoint"), ConfigurationError);
    assertStringIncludes(error.message, "as the options of the endpoint: they are an object");
    assertStringIncludes(error.message, "It may have { concurrency, prefetch, retry }");
  }
  assertThrows(() => createBus(undefined as never), ConfigurationError, "undefined as the options of a bus");
  assertThrows(() => createBus("shop" as never), ConfigurationError, `"shop" as the options`);
  assertThrows(() => createMediator(null as never), ConfigurationError, "null as the options");
});

const Submit = command("orders.submit");
const bus = createBus({ name: "app" });
/** A typo in each place where options are given. The compiler refuses them all: JavaScript has this alone. */
const typos: Readonly<Record<string, () => unknown>> = {
  transprot: () => createBus({ name: "app", transprot: memory() } as never),
  clokc: () => createMediator({ clokc: undefined } as never),
  concurency: () => bus.endpoint("a", { concurency: 1 } as never),
  redelivery: () => bus.add(consumer(Submit, () => {}), { redelivery: ["1m"] } as never),
  inboxwindow: () => bus.endpoint("b", { outbox: { inboxwindow: "1d" } } as never),
  keys: () => event("orders.submitted", { keys: () => "1" } as never),
  nmae: () => consumer(Submit, () => {}, { nmae: "a" } as never),
  sise: () => batchConsumer(Submit, { sise: 1 } as never, () => {}),
  maximum: () => retry.exponential({ limit: 1, min: 1, max: 1, maximum: 2 } as never),
  steps: () => retry.incremental({ limit: 1, initial: 1, step: 1, steps: 2 } as never),
  byreference: () => memory({ byreference: true } as never),
  syncronous: () => sqlite({ path: "a.db", syncronous: "normal" } as never),
  leese: () => sqliteTransport("a.db", { leese: "10s" } as never),
  heartbeats: () => rabbitmq({ heartbeats: "5s" } as never),
  quorum: () => rabbitmq.queue({ quorum: true } as never),
  pollIntervall: () => postgresTransport("postgres://localhost/a", { pollIntervall: "1s" } as never),
  maxx: () => postgres({ url: "postgres://localhost/a", maxx: 1 } as never),
};
for (const [typo, make] of Object.entries(typos)) {
  test(`a typo as { ${typo} } is refused where it is made`, () => {
    assertStringIncludes(assertThrows(make, ConfigurationError).message, `{ ${typo} }`);
  });
}

for (
  const [what, options, typo] of [
    ["a batch", undefined, "wihtin"],
    ["a circuit breaker", { circuitBreaker: { probe: 1 } }, "probe"],
    ["a kill switch", { killSwitch: { tripTreshold: 1 } }, "tripTreshold"],
    ["a rate limit", { rateLimit: { limit: 1, per: "1s", burst: 2 } }, "burst"],
  ] as const
) {
  test(`a typo in ${what} is refused at start`, async () => {
    const started = createBus({ name: "app" });
    const endpoint = started.endpoint("orders", options as never);
    if (options === undefined) endpoint.batch(Submit, { [typo]: "1s" } as never, () => {});
    else endpoint.handle(Submit, () => {});
    const error = await started.start().then(() => undefined, (thrown: unknown) => thrown);

    assertEquals(error instanceof ConfigurationError, true, String(error));
    assertStringIncludes(String(error), `{ ${typo} }`);
  });
}
