/** Methods that were taken off their object say how to call them, in place of a TypeError about a private member. */
import { assertEquals, assertInstanceOf } from "@std/assert";
import { batchConsumer, command, ConfigurationError, createBus, createMediator, event, saga, type } from "../../mod.ts";
import { test } from "../support/runner.ts";

const Work = command<object>("attached.work");
const Piece = event<object>("attached.piece");
const Begun = event<{ readonly id: string }>("attached.begun");

/** All methods of its class; no getters. */
function methodsOf(object: object): readonly string[] {
  const prototype: object = Object.getPrototypeOf(object);
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([name, { value }]) => name !== "constructor" && typeof value === "function")
    .map(([name]) => name);
}

/** What each of the methods says when it is called alone, whether it throws or rejects. */
async function saidBy(object: object, methods: readonly string[]): Promise<readonly string[]> {
  return await Promise.all(methods.map(async (name) => {
    const alone: unknown = Reflect.get(object, name);
    if (typeof alone !== "function") return `${name} is no method`;
    try {
      await Reflect.apply(alone, undefined, []);
      return `${name} was called`;
    } catch (error) {
      assertInstanceOf(error, ConfigurationError, name);
      return error.message;
    }
  }));
}

async function assertSays(object: object, called: string, methods: readonly string[]): Promise<void> {
  const said = await saidBy(object, methods);
  assertEquals(
    said,
    methods.map((name) =>
      `Cannot call ${name}() apart from its ${called}: what it belongs to is lost. Call ${called}.${name}(…)`
    ),
  );
}

test("what is taken off a mediator, and off what its handlers get, says what it belongs to", async () => {
  const mediator = createMediator().handle(Work, async (_, ctx) => {
    await assertSays(ctx, "ctx", methodsOf(ctx));
  });
  await mediator.send(Work, {});
  await assertSays(mediator, "mediator", methodsOf(mediator));
});

test("what is taken off a bus, and off what its handlers get, says what it belongs to", async () => {
  const bus = createBus({ name: "attached" });
  const asked = Promise.withResolvers<void>();
  bus.endpoint("work").handle(Work, async (_, ctx) => {
    await assertSays(ctx, "ctx", methodsOf(ctx)).then(asked.resolve, asked.reject);
  });
  await bus.start();
  await bus.send(Work, {});
  await asked.promise;
  const methods = ["publish", "send", "request", "schedule", "unschedule", "transaction", "stream", "sink"];
  await assertSays(bus, "bus", [...methods, "start", "stop"]);
  await bus.stop();
});

test("what is taken off the context of a batch, or of a saga's step, says what it belongs to", async () => {
  const bus = createBus({ name: "attached" });
  const batched = Promise.withResolvers<void>();
  const stepped = Promise.withResolvers<void>();
  bus.add(batchConsumer(Piece, { size: 1 }, async (_, ctx) => {
    await assertSays(ctx, "ctx", ["fail", "publish", "send", "schedule", "unschedule", "request"])
      .then(batched.resolve, batched.reject);
  }));
  const Steps = saga(
    "attached-steps",
    { data: type<object>(), states: [], events: (on) => ({ begun: on.start(Begun, ({ id }) => id, () => ({})) }) },
    ({ initially, when }) => [
      initially(
        when("begun").then(async (ctx) => {
          await assertSays(ctx, "ctx", methodsOf(ctx)).then(stepped.resolve, stepped.reject);
        }).finalize(),
      ),
    ],
  );
  bus.add(Steps);
  await bus.start();
  await bus.publish(Piece, {});
  await bus.publish(Begun, { id: "1" });
  await batched.promise;
  await stepped.promise;
  await bus.stop();
});
