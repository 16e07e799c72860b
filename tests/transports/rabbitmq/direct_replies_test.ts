/** Answers that come to a channel instead of a queue. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createBus, DisconnectedError, query } from "../../../mod.ts";
import { rabbitmq } from "../../../transports/rabbitmq/mod.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";
import { usualPort } from "../../support/servers/rabbitmq.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { raw, skip, url } from "./broker.ts";

const clock = realTime();
const Ask = query<{ readonly text: string }, { readonly text: string }>("direct.ask");

test("rabbitmq: answers to a channel come, fail when it is lost, and come again to the next", async () => {
  const proxy = await TcpProxy.to(usualPort);
  const prefix = `d${Math.floor(performance.timeOrigin + performance.now()).toString(36)}-`;
  const server = createBus({ name: "server", transport: rabbitmq(url), prefix });
  const transport = rabbitmq({ url: `amqp://127.0.0.1:${proxy.port}`, replies: "direct" });
  const client = createBus({ name: "client", transport, prefix });
  const gate = Promise.withResolvers<void>();
  let held = 0;
  server.endpoint("asked", { concurrency: 64 }).handle(Ask, async ({ text }) => {
    if (text === "held") {
      held++;
      await gate.promise;
    }
    return { text: `re: ${text}` };
  });
  await server.start();
  await client.start();
  const ask = (text: string) => client.request(Ask, { text }, { timeout: "20s" });
  const texts = Array.from({ length: 200 }, (_, at) => `${at}`);
  assertEquals((await Promise.all(texts.map(ask))).map(({ text }) => text), texts.map((text) => `re: ${text}`));

  const lost = assertRejects(() => ask("held"), DisconnectedError);
  await eventually(clock, "the question", () => held === 1);
  await proxy.cut();
  await lost;
  gate.resolve();
  assertEquals(await ask("again"), { text: "re: again" });
  assert(transport.counts.reconnects > 0);

  await client.stop({ deadline: "1s" });
  const { queues, topics } = server.describe().topology;
  await server.stop({ deadline: "1s" });
  await proxy[Symbol.asyncDispose]();
  await raw(async (channel) => {
    for (const each of [...queues, ...topics]) {
      const name = each.slice(each.indexOf(":") + 1);
      await channel.deleteQueue(name);
      await channel.deleteExchange(name);
    }
  });
}, { skip });
