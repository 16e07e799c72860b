/** Sagas on stores that cannot do what they ask for. */
import { assertRejects } from "@std/assert";
import { event, saga, type, UnsupportedError } from "../../../mod.ts";
import { ScriptedStore } from "../../support/fakes/scripted_store.ts";
import { trial } from "../../support/trial.ts";
import { OrderSaga } from "./orders.ts";

const Begun = event<{ id: string }>("plain.begun");
const Plain = saga("plain", {
  data: type<object>(),
  states: ["here"],
  events: (on) => ({ begun: on.start(Begun, (m) => m.id, () => ({})) }),
}, ({ initially, when }) => [initially(when("begun").transitionTo("here"))]);

trial(
  "a store without indexes is refused at start where instances are looked for by one, and only there",
  async (t) => {
    const refused = t.bus({ store: new ScriptedStore(undefined, { query: "id" }) });
    refused.add(OrderSaga);
    await assertRejects(() => refused.start(), UnsupportedError, `"orders.touched" on "order"`);
    const taken = t.bus({ store: new ScriptedStore(undefined, { query: "id" }) });
    taken.add(Plain);
    await taken.start();
  },
);

trial("a saga's messages cannot be in a batch, too, on its endpoint", async (t) => {
  const bus = t.bus();
  bus.endpoint("both").add(Plain).batch(Begun, { size: 2 }, () => {});
  await assertRejects(() => bus.start(), UnsupportedError, "plain.begun");
});
