/** What waits as a copy or text, behind many others. */
import { assertEquals } from "@std/assert";
import { event } from "@hero/messaging";
import type { PublishOptions } from "../../../src/pipeline/sending.ts";
import { trial } from "../../support/trial.ts";

const Counted = event<{ readonly number: number }>("backlog.counted");
const Nested = event<{ readonly number: number; readonly items: readonly { readonly name: string }[] }>(
  "backlog.nested",
);
const Other = event<{ readonly number: number; readonly at: Date }>("backlog.other");

/** Of each kind some: what most say, and what few do. */
function optionsOf(number: number): PublishOptions {
  switch (number % 8) {
    case 1:
      return { headers: { number } };
    case 2:
      return { correlationId: `about ${number}` };
    case 3:
      return { messageId: `own ${number}` };
    case 4:
      return { ttl: "1h" };
    case 5:
      return { key: `key ${number}` };
    default:
      return {};
  }
}

trial("messages come as they were sent, and in order, also those that wait behind many", async (t) => {
  const bus = t.bus();
  const come: unknown[] = [];
  bus.endpoint("slow")
    .handle(Counted, ({ number }, { correlationId, headers, messageId, conversationId, sentAt, expiresAt }) => {
      come.push([number, correlationId, { ...headers }, messageId, conversationId, sentAt?.getTime(), expiresAt]);
    })
    .handle(Nested, ({ number, items }) => void come.push([number, items]))
    .handle(Other, ({ number, at }) => void come.push([number, at]));
  await bus.start();
  await bus.pause("slow");
  const expected: unknown[] = [];
  const sentAt = t.clock.now();
  const ids: string[] = [];
  for (let number = 0; number < 3_000; number++) {
    if (number % 8 === 6) {
      await bus.publish(Nested, { number, items: [{ name: `é${number}` }] });
      expected.push([number, [{ name: `é${number}` }]]);
      continue;
    }
    if (number % 8 === 7) {
      await bus.publish(Other, { number, at: new Date(number) });
      expected.push([number, new Date(number)]);
      continue;
    }
    const options = optionsOf(number);
    await bus.publish(Counted, { number }, options);
    const { correlationId, headers = {}, messageId, ttl } = options;
    expected.push([
      number,
      correlationId,
      headers,
      messageId,
      messageId,
      sentAt,
      ttl === undefined ? undefined : new Date(sentAt + 3_600_000),
    ]);
  }
  const waiting = await t.peek("slow");
  assertEquals(waiting.map(({ frame }) => JSON.parse(new TextDecoder().decode(frame.body)).number), [
    ...expected.keys(),
  ]);
  ids.push(...waiting.map(({ frame }) => String(frame.headers["hero-id"])));
  assertEquals(new Set(ids).size, 3_000);
  await bus.resume("slow");
  await t.until("all has come", () => come.length === expected.length);
  const withIds = expected.map((each, at) =>
    Array.isArray(each) && each.length > 2
      ? each.map((value, place) => place === 3 || place === 4 ? ids[at] : value)
      : each
  );
  assertEquals(come, withIds);
});
