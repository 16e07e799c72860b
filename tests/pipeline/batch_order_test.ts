import { assertEquals } from "@std/assert";
import { command, type EndpointOptions } from "../../mod.ts";
import type { BatchContext, BatchOptions, ConsumeContext } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { type Trial, trial } from "../support/trial.ts";

interface Row {
  readonly id: string;
}
const Keyed = command<Row>("batch-order.keyed", { key: ({ id }) => id.slice(0, 1) });
const idsOf = (items: readonly ConsumeContext<Row>[]): string => items.map(({ message }) => message.id).join(" ");

/** What was in each batch, when all has come to rest. */
async function batches(
  t: Trial,
  options: BatchOptions<Row>,
  handler: (items: readonly ConsumeContext<Row>[], context: BatchContext<unknown>, run: number) => void,
  ids: readonly string[],
): Promise<readonly string[]> {
  const seen: string[] = [];
  const settings: EndpointOptions = { retry: retry.immediate(3) };
  const bus = t.bus();
  bus.endpoint("rows", settings).batch(Keyed, { size: ids.length, within: "1s", ...options }, (items, context) => {
    seen.push(idsOf(items));
    handler(items, context, seen.length);
  });
  await bus.start();
  for (const id of ids) await bus.send(Keyed, { id });
  await t.settled();
  for (let second = 0; second < 5; second++) {
    await t.pass(1_000);
    await t.settled();
  }
  return seen;
}

trial("a batch that fails as a whole is handled again in the order of its messages", async (t) => {
  const seen = await batches(t, {}, (_, __, run) => {
    if (run === 1) throw new Error("down");
  }, ["a1", "b1", "a2"]);

  assertEquals(seen, ["a1 b1 a2", "a1 b1 a2"]);
});

trial(
  "a message of a batch that fails is passed by others of its key: those in the batch, and those that wait for the next",
  async (t) => {
    const seen = await batches(t, { size: 3 }, (items, context, run) => {
      if (run === 1) context.fail(items[0]!, new Error("down"));
    }, ["a1", "b1", "a2", "a3"]);

    assertEquals(seen[0], "a1 b1 a2");
    assertEquals(seen.slice(1).join(" ").split(" ").filter((id) => id.startsWith("a")), ["a3", "a1"]);
  },
);

trial("a handler that fails a message with all later ones of its key keeps the order of the batch", async (t) => {
  const done: string[] = [];
  await batches(t, {}, (items, context, run) => {
    const failed = new Set<string | undefined>();
    for (const item of items) {
      const { id } = item.message;
      const key = id.slice(0, 1);
      if (failed.has(key) || (run === 1 && id === "a1")) {
        failed.add(key);
        context.fail(item, new Error("down"));
      } else done.push(id);
    }
  }, ["a1", "b1", "a2"]);

  assertEquals(done, ["b1", "a1", "a2"]);
});
