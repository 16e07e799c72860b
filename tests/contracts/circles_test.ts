import { assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigurationError, createMediator, type Event, event, fault } from "../../mod.ts";
import { type Trial, trial } from "../support/trial.ts";

interface Tampered {
  base: unknown;
}

/** A contract that is its own base, by way of another. Not to be made by the functions alone. */
function circle(): Event<object> {
  const First = event<object>("circles.first");
  const second = event<object>("circles.second", { extends: First });
  (First as unknown as Tampered).base = second; // what a copy of the package of another age may have let through
  return second;
}

/** All ways by which a contract comes into the library. */
const ways: Readonly<Record<string, (trial: Trial) => unknown>> = {
  "is handled": (t) => {
    const bus = t.bus();
    bus.endpoint("work").handle(circle(), () => {});
    return bus.start();
  },
  "is published": async (t) => {
    const bus = t.bus();
    await bus.start();
    await bus.publish(circle(), {});
  },
  "is scheduled": async (t) => {
    const bus = t.bus();
    await bus.start();
    await bus.schedule(circle(), {}, { in: "1h" });
  },
  "is streamed": async (t) => {
    const bus = t.bus();
    await bus.start();
    await bus.stream(circle()).opened;
  },
  "is routed": (t) => t.bus({ routes: { "topic:elsewhere": [circle()] } }),
  "is listed": (t) => t.bus({ contracts: [circle()] }),
  "has faults": () => fault(circle()),
  "is extended": () => event("circles.third", { extends: circle() }),
  "is mediated": () => createMediator().publish(circle(), {}),
};
for (const [way, use] of Object.entries(ways)) {
  trial(`a contract that extends itself is refused, and named, where it ${way}`, async (t) => {
    // deno-lint-ignore require-await -- what it throws shall be a rejection
    const error = await assertRejects(async () => use(t), ConfigurationError, "circle");
    assertStringIncludes(error.message, `"circles.second"`);
  });
}

trial("after a contract that extends itself was refused, the bus goes on", async (t) => {
  const Sound = event<{ id: string }>("circles.sound");
  const bus = t.bus();
  const handled: string[] = [];
  bus.endpoint("work").handle(Sound, ({ id }) => void handled.push(id));
  await bus.start();
  await assertRejects(() => bus.publish(circle(), {}), ConfigurationError);
  assertThrows(() => fault(circle()), ConfigurationError);
  await bus.publish(Sound, { id: "1" });
  await t.until("it is handled", () => handled.length === 1);
});
