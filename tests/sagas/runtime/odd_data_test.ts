/** Data of instances that is text of a kind, or names of a kind, that databases and languages take for something else. */
import { assertEquals } from "@std/assert";
import { event, query, saga, type } from "../../../mod.ts";
import { all } from "../../support/trial.ts";
import { onStores } from "./on_stores.ts";

const Put = event<{ id: string; value: unknown }>("odd.put");
const Get = query<{ id: string }, { value: unknown; admin: unknown }>("odd.get");

const Odd = saga("odd", {
  data: type<{ value: unknown; deep?: readonly string[] }>(),
  states: ["kept"],
  events: (on) => ({ put: on.start(Put, (m) => m.id, (m) => ({ value: m.value })), asked: on(Get, (m) => m.id) }),
}, ({ initially, during, when }) => [
  initially(
    when("put").then((ctx) => {
      // A message cannot bring it: it is refused where it is sent.
      if (ctx.id === "half") ctx.saga.deep = ["whole", "\ud800"];
    }).transitionTo("kept"),
  ),
  during(
    "kept",
    when("asked").respond((ctx) => ({ value: ctx.saga.value, admin: Reflect.get(Object(ctx.saga.value), "admin") })),
  ),
]);

onStores("names and texts of any kind are kept as they are, and half a character is refused by name", async (on) => {
  const bus = on.bus();
  bus.add(Odd);
  await bus.start();
  const odd = bus.sagas(Odd);
  const text = `{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"text":"a\\u0000b"}`;
  await bus.publish(Put, { id: "1", value: JSON.parse(text) });
  await on.until("it is kept", async () => await odd.get("1") !== undefined);
  const { value, admin } = await bus.request(Get, { id: "1" });
  assertEquals([JSON.stringify(value), admin, Reflect.get({}, "admin")], [text, undefined, undefined]);
  assertEquals(JSON.stringify((await odd.get("1"))?.data.value), text);

  await bus.publish(Put, { id: "half", value: 0 });
  await on.until("it is refused", async () => (await bus.counts("odd")).failed === 1);
  const [refused] = await all(bus.errors("odd").list());
  assertEquals(refused?.exceptions[0]?.type, "UnserializableError");
  assertEquals(refused?.exceptions[0]?.message.includes('"data.deep.1"'), true);
  assertEquals([await odd.get("half"), await odd.count()], [undefined, 1]);
});
