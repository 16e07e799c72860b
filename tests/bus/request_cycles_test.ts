import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { command, query, RequestFaultError } from "../../mod.ts";
import { type Trial, trial } from "../support/trial.ts";

interface Keyed {
  readonly id: string;
}
const Outer = command<Keyed, { readonly inner: string }>("cycles.outer", { key: ({ id }) => id });
const Inner = query<Keyed, string>("cycles.inner", { key: ({ id }) => id });

/** An endpoint whose handler asks itself, under the key that `keyOf` makes of its own. */
async function selfAsking(
  trial: Trial,
  options: { readonly concurrency?: number; readonly prefetch?: number },
  keyOf: (key: string) => string,
) {
  const bus = trial.bus();
  bus.endpoint("orders", options)
    .handle(Outer, async ({ id }, ctx) => ({ inner: await ctx.request(Inner, { id: keyOf(id) }) }))
    .handle(Inner, ({ id }) => `inner of ${id}`);
  await bus.start();
  return bus;
}

trial("what may be prefetched bounds an endpoint's requests to itself, as its concurrency does", async (t) => {
  const bus = await selfAsking(t, { prefetch: 1 }, (key) => `${key}-other`);
  const error = await assertRejects(() => bus.request(Outer, { id: "1" }), RequestFaultError);
  assertEquals(error.exceptions[0]?.type, "RequestCycleError");
  assertStringIncludes(error.message, "{ prefetch }");
});

trial("a request to one's own endpoint under the key that is being handled fails fast", async (t) => {
  const bus = await selfAsking(t, {}, (key) => key);
  const error = await assertRejects(() => bus.request(Outer, { id: "k-1" }), RequestFaultError);
  assertEquals(error.exceptions[0]?.type, "RequestCycleError");
  assertStringIncludes(error.message, `the same key, "k-1"`);
  assertEquals((await bus.counts("orders")).waiting, 0);
});

trial("a request to one's own endpoint under another key, or none, is answered", async (t) => {
  const bus = await selfAsking(t, {}, (key) => `${key}-other`);
  assertEquals(await bus.request(Outer, { id: "1" }), { inner: "inner of 1-other" });
  const Plain = command<Keyed, string>("cycles.plain");
  const Asked = query<Keyed, string>("cycles.asked");
  const other = t.bus({ name: "other" });
  other.endpoint("plain").handle(Plain, (message, ctx) => ctx.request(Asked, message)).handle(Asked, () => "answered");
  await other.start();
  assertEquals(await other.request(Plain, { id: "1" }), "answered");
});

trial("a request of a contract of one's own that goes to another's queue waits for nobody here", async (t) => {
  const elsewhere = t.bus({ name: "elsewhere" });
  elsewhere.endpoint("there", { subscribe: false }).handle(Inner, () => "from there");
  await elsewhere.start();
  const bus = t.bus();
  bus.endpoint("orders", { concurrency: 1 })
    .handle(Outer, async (message, ctx) => ({ inner: await ctx.request(Inner, message, { to: "queue:there" }) }))
    .handle(Inner, () => "from here");
  await bus.start();
  assertEquals(await bus.request(Outer, { id: "1" }), { inner: "from there" });
});

trial("a request to the queue of one's own endpoint is one to oneself", async (t) => {
  const bus = t.bus();
  bus.endpoint("orders", { concurrency: 1 })
    .handle(Outer, async (message, ctx) => ({ inner: await ctx.request(Inner, message, { to: "queue:orders" }) }))
    .handle(Inner, () => "from here");
  await bus.start();
  const error = await assertRejects(() => bus.request(Outer, { id: "1" }), RequestFaultError);
  assertEquals(error.exceptions[0]?.type, "RequestCycleError");
});
