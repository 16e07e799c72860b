import { assertEquals } from "@std/assert";
import { retry } from "../../src/pipeline/retry.ts";
import { all, trial } from "../support/trial.ts";
import { started } from "./batch_rig.ts";

trial("a batch that throws fails with all its messages", async (t) => {
  const { bus, batches, send } = await started(t, { size: 3 }, () => {
    throw new RangeError("full disk");
  });
  await send("a", "b", "c");
  assertEquals(batches, ["a b c"]);
  const failed = await all(bus.errors("rows").list());
  assertEquals(failed.map(({ messageId, exceptions }) => [messageId, exceptions[0]?.message]), [
    ["a", "full disk"],
    ["b", "full disk"],
    ["c", "full disk"],
  ]);
  assertEquals(bus.statistics("rows").faulted, 3);
});

trial("a message may fail alone while the others succeed", async (t) => {
  const { bus, send } = await started(t, { size: 3 }, (items, context) => {
    const bad = items[1];
    if (bad !== undefined) context.fail(bad, new RangeError("this row"));
  });
  await send("a", "b", "c");
  const { consumed, faulted } = bus.statistics("rows");
  assertEquals({ consumed, faulted }, { consumed: 2, faulted: 1 });
  const failed = await all(bus.errors("rows").list());
  assertEquals(failed.map(({ messageId, exceptions }) => [messageId, exceptions[0]?.message]), [["b", "this row"]]);
});

trial("one that failed alone is retried by the endpoint's rules, in a batch of those that come then", async (t) => {
  let failed = false;
  const { bus, batches, send } = await started(
    t,
    { size: 2, within: "10s" },
    (items, context) => {
      const bad = items.find(({ message }) => message.id === "a");
      if (bad !== undefined && !failed) {
        failed = true;
        context.fail(bad, new Error("once"));
      }
    },
    { retry: retry.interval(1, "1s") },
  );
  await send("a", "b");
  await t.pass(1_000);
  assertEquals(batches, ["a b"]);
  await send("c");
  assertEquals(batches, ["a b", "a c"]);
  const { consumed, retried } = bus.statistics("rows");
  assertEquals({ consumed, retried }, { consumed: 3, retried: 1 });
});

trial("a batch that failed is retried, and its attempts count", async (t) => {
  const attempts: string[] = [];
  const { bus, batches, send } = await started(
    t,
    { size: 2, within: "10s" },
    (items) => {
      attempts.push(items.map(({ attempt }) => attempt).join());
      if (attempts.length < 3) throw new Error("not yet");
    },
    { retry: retry.interval(3, "1s") },
  );
  await send("a", "b");
  await t.pass(5_000);
  assertEquals(batches, ["a b", "a b", "a b"]);
  assertEquals(attempts, ["1,1", "2,2", "3,3"]);
  assertEquals(bus.statistics("rows").consumed, 2);
});

trial("with `alone`, each message of a batch that threw is handled again by itself, and fails by itself", async (t) => {
  const { bus, batches, send } = await started(t, { size: 3, alone: true }, (items) => {
    if (items.some(({ message }) => message.id === "bad")) throw new RangeError("this row");
  });
  await send("a", "bad", "c");
  assertEquals(batches, ["a bad c", "a", "bad", "c"]);
  const { consumed, faulted, retried } = bus.statistics("rows");
  assertEquals({ consumed, faulted, retried }, { consumed: 2, faulted: 1, retried: 0 });
  assertEquals((await all(bus.errors("rows").list())).map(({ messageId }) => messageId), ["bad"]);
});

trial("two messages with one id are handled as one, and share its fate", async (t) => {
  const { bus, batches, send } = await started(t, { size: 3 }, (items) => {
    if (items.some(({ message }) => message.id === "bad")) throw new Error("no");
  });
  await send("a", "a", "b");
  assertEquals(batches, ["a b"]);
  assertEquals(bus.statistics("rows").consumed, 3);
  await send("bad", "bad", "c");
  assertEquals(bus.statistics("rows").faulted, 3);
});

trial("to fail what is no message of the batch is refused: it would be handled as if it had not failed", async (t) => {
  const { bus, send } = await started(t, { size: 2 }, (_, context) => context.fail({} as never, new Error("this row")));
  await send("a", "b");
  const failed = await all(bus.errors("rows").list());
  assertEquals(failed.map(({ exceptions }) => exceptions[0]?.type), ["ConfigurationError", "ConfigurationError"]);
});

trial("a message that fails alone without an error fails all the same", async (t) => {
  const { bus, send } = await started(t, { size: 2 }, ([first], context) => {
    if (first !== undefined) context.fail(first, undefined as never);
  });
  await send("a", "b");
  const failed = await all(bus.errors("rows").list());
  assertEquals(failed.map(({ messageId, exceptions }) => [messageId, exceptions[0]?.type]), [
    ["a", "NonErrorThrownError"],
  ]);
});
