/** Which messages a store is told of before their units begin. */
import { assertEquals } from "@std/assert";
import { command } from "../../mod.ts";
import { names } from "../../src/envelope/headers.ts";
import type { MessageKey } from "../../src/spi/rows.ts";
import type { Sink } from "../../src/spi/transport.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { trial } from "../support/trial.ts";

const Work = command<{ id: string }>("foresight.work");

/** A store that writes down what it is told. */
class FarStore extends ScriptedStore {
  readonly foreseen: (readonly [bus: string, messages: readonly MessageKey[]])[] = [];

  foresee(bus: string, messages: readonly MessageKey[]): void {
    this.foreseen.push([bus, messages]);
  }
}

const body = new TextEncoder().encode('{"id":"1"}');

/** Delivers messages: an id each, how often it has come, and how often it was put off. */
function deliver(sink: Sink, ...messages: readonly (readonly [id: string, count?: number, deferral?: number])[]): void {
  sink.deliver(messages.map(([id, deliveryCount, deferral]) => ({
    frame: {
      contentType: "application/json",
      headers: {
        [names.type]: Work.name,
        ...(id === "" ? {} : { [names.id]: id }),
        ...(deferral === undefined ? {} : { [names.deferral]: deferral }),
      },
      body,
    },
    key: undefined,
    via: undefined,
    deliveryCount,
  })));
}

trial("a store is told of what waits, as its inbox calls it, and not of what has come before", async (t) => {
  const [transport, store] = [new ScriptedTransport(), new FarStore()];
  const bus = t.bus({ name: "far", transport, store });
  const gate = Promise.withResolvers<void>();
  bus.endpoint("stored", { outbox: true, concurrency: 1 }).handle(Work, () => gate.promise);
  await bus.start();
  const sink = transport.sources.find(({ source }) => source.queue === "stored")?.sink;
  deliver(sink!, ["first", 1], ["second", 1], ["third", 2], ["fourth"], ["fifth", 1, 3], ["", 1]);
  deliver(sink!, ["sixth", 2]);
  gate.resolve();
  await t.settled();
  assertEquals(store.foreseen, [["far", [
    { endpoint: "stored", messageId: "second#0" },
    { endpoint: "stored", messageId: "fifth#3" },
  ]]]);
});

trial("nobody is told of what waits on an endpoint without an outbox", async (t) => {
  const [transport, store] = [new ScriptedTransport(), new FarStore()];
  const bus = t.bus({ transport, store });
  bus.endpoint("plain", { concurrency: 1 }).handle(Work, async () => await undefined);
  await bus.start();
  const sink = transport.sources.find(({ source }) => source.queue === "plain")?.sink;
  deliver(sink!, ["first", 1], ["second", 1]);
  await t.settled();
  assertEquals(store.foreseen, []);
});
