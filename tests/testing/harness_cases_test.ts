/** What other libraries got wrong about order and time, on the virtual clock: cases 7, 19, 21 and 77. */
import { assertEquals, assertRejects } from "@std/assert";
import { command, event, InvalidDurationError, retry } from "../../mod.ts";
import { createTestHarness, type TestHarness } from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";

const Step = command<{ key: string; at: number }>("step", { key: ({ key }) => key });

async function within(starting: Promise<TestHarness>, run: (harness: TestHarness) => Promise<void>): Promise<void> {
  const harness = await starting;
  try {
    await run(harness);
  } finally {
    await harness[Symbol.asyncDispose]();
  }
}

test("harness: a key that is retried is not overtaken, and holds up no other (case 7)", () => {
  const seen: string[] = [];
  let failures = 0;
  return within(
    createTestHarness({
      configure: (bus) =>
        void bus.endpoint("steps", { concurrency: 8, retry: retry.interval(3, "50ms") }).handle(Step, ({ key, at }) => {
          seen.push(`${key}${at}`);
          if (key === "k" && at === 0 && ++failures <= 2) throw new Error("stuck");
        }),
    }),
    async (harness) => {
      for (let at = 0; at < 5; at++) {
        await harness.send(Step, { key: "k", at });
        await harness.send(Step, { key: "j", at });
      }
      await harness.settled();
      assertEquals(seen.filter((each) => each.startsWith("k")), ["k0", "k0", "k0", "k1", "k2", "k3", "k4"]);
      assertEquals(seen.indexOf("j4") < seen.lastIndexOf("k0"), true);
      assertEquals(harness.consumed(Step).all(({ key }) => key === "j").map(({ atInMs }) => atInMs), [0, 0, 0, 0, 0]);
    },
  );
});

test("harness: a message that is redelivered keeps its key, and is not overtaken from then on (case 7)", () => {
  let harness: TestHarness | undefined;
  return within(
    createTestHarness({
      configure: (bus) =>
        void bus.endpoint("steps", { redeliver: ["1m"] }).handle(Step, async ({ at }, { attempt }) => {
          if (at === 0 && attempt === 1) throw new Error("later");
          if (at === 0) await harness?.clock.delay("10s");
        }),
    }),
    async (made) => {
      harness = made;
      await made.send(Step, { key: "k", at: 0 });
      await made.advance("1m");
      await made.send(Step, { key: "k", at: 1 });
      await made.send(Step, { key: "j", at: 2 });
      await made.settled();
      assertEquals(made.consumed(Step).all().map(({ message, atInMs }) => [message.at, atInMs]), [
        [2, 60_000],
        [0, 70_000],
        [1, 70_000],
      ]);
    },
  );
});

test("harness: delays of up to 180 days are never early, and 0 is at once (case 19)", () =>
  within(
    createTestHarness({ configure: (bus) => void bus.endpoint("steps").handle(Step, () => {}) }),
    async (harness) => {
      const delays = [0, 2_147_483_647, 2_147_483_648, 4_294_967_295, 4_294_967_296, 15_552_000_000];
      for (const [at, delay] of delays.entries()) await harness.send(Step, { key: `${at}`, at }, { delay });
      await assertRejects(() => harness.send(Step, { key: "-1", at: -1 }, { delay: -1 }), InvalidDurationError);
      const cancelled = await harness.schedule(Step, { key: "never", at: 99 }, { in: "180d" });
      await harness.schedule(Step, { key: "past", at: 100 }, { at: new Date(0) });
      await harness.advance("100d");
      await harness.unschedule(cancelled);
      await harness.advance("100d");
      const consumed = harness.consumed(Step).all();
      assertEquals(consumed.filter(({ message }) => message.at < 99).map(({ atInMs }) => atInMs), delays);
      assertEquals(consumed.find(({ message }) => message.at === 100)?.atInMs, 0);
      assertEquals(consumed.some(({ message }) => message.at === 99), false);
    },
  ));

test("harness: a short delay behind a long one is not held up by it (case 21)", () =>
  within(
    createTestHarness({ configure: (bus) => void bus.endpoint("steps").handle(Step, () => {}) }),
    async (harness) => {
      for (const delay of ["1h", "5s", "7s", "1s", "3s"] as const) {
        await harness.send(Step, { key: delay, at: 0 }, { delay });
      }
      await harness.advance("10s");
      assertEquals(harness.consumed(Step).all().map(({ message, atInMs }) => `${message.key} ${atInMs}`), [
        "1s 1000",
        "3s 3000",
        "5s 5000",
        "7s 7000",
      ]);
      await harness.advance("1h");
      assertEquals(harness.consumed(Step).all().at(-1)?.atInMs, 3_600_000);
    },
  ));

test("harness: what a handler does after a wait goes on at the time at which the wait ended (case 77)", () => {
  let harness: TestHarness | undefined;
  const seen: number[] = [];
  return within(
    createTestHarness({
      configure: (bus) =>
        void bus.endpoint("steps").handle(Step, async (_, ctx) => {
          await Promise.resolve();
          const now = harness?.clock.now() ?? 0;
          seen.push(now - Date.UTC(2026, 0, 1));
          if (seen.length < 3) await ctx.send(Step, { key: "k", at: seen.length }, { delay: 10 });
        }),
    }),
    async (made) => {
      harness = made;
      await made.send(Step, { key: "k", at: 0 }, { delay: 10 });
      await made.advance(25);
      assertEquals(seen, [10, 20]);
      await made.advance(5);
      assertEquals(seen, [10, 20, 30]);
    },
  );
});

test("however many messages are due at once, advancing handles them all", async () => {
  const Due = event<{ id: number }>("harness.due");
  let handled = 0;
  const harness = await createTestHarness({
    configure: (bus) => void bus.endpoint("due").handle(Due, () => void handled++),
  });
  await Promise.all(Array.from({ length: 15_000 }, (_, id) => harness.bus.publish(Due, { id }, { delay: "1s" })));
  assertEquals(handled, 0);
  await harness.advance("1s");
  assertEquals(handled, 15_000);
  await harness[Symbol.asyncDispose]();
});
