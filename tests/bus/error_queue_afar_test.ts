/** Error queues, looked at by a bus that was not started. */
import { assertEquals, assertRejects } from "@std/assert";
import { command, createBus, StoppedError } from "../../mod.ts";
import { DisconnectedError } from "../../src/errors/transport.ts";
import type { Admin } from "../../src/spi/transport.ts";
import { never, ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { test } from "../support/runner.ts";
import { all, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("errors.work");

trial("a bus that was not started looks at error queues, and takes nothing from the endpoint", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Work, ({ id }) => {
    throw new RangeError(`no ${id}`);
  });
  await bus.start();
  for (const id of ["1", "2", "3"]) await bus.send(Work, { id }, { messageId: `m-${id}` });
  await t.settled();
  await bus.pause("work");
  await bus.send(Work, { id: "4" });

  const operator = t.bus();
  operator.endpoint("work");
  const errors = operator.errors("work");
  assertEquals((await all(errors.list())).map(({ messageId }) => messageId), ["m-1", "m-2", "m-3"]);
  assertEquals(await errors.discard(["m-1"]), 1);
  assertEquals(await errors.requeue(["m-2"]), 1);
  assertEquals(await all(operator.skipped("work").list()), []);
  await operator.stop();
  await assertRejects(() => errors.requeue("all"));
  assertEquals((await all(bus.errors("work").list())).map(({ messageId }) => messageId), ["m-3"]);
  assertEquals((await bus.counts("work")).waiting, 2);

  const late = t.bus();
  late.endpoint("work");
  await late.stop();
  await assertRejects(() => late.errors("work").requeue("all"), StoppedError);
});

test("whoever lists failed messages need not wait for a broker that is away", async () => {
  const opening = Promise.withResolvers<void>();
  const admin: Admin = { count: () => never(), browse: () => never(), take: () => never(), purge: () => never() };
  const transport = new ScriptedTransport({
    open(host) {
      opening.resolve();
      return never(host.signal);
    },
  });
  const bus = createBus({ name: "operations", transport: Object.assign(transport, { admin }) });
  bus.endpoint("work");
  const late = new AbortController();
  const listed = all(bus.errors("work").list({ signal: late.signal }));
  await opening.promise;
  late.abort(new RangeError("too late"));
  await assertRejects(() => listed, RangeError, "too late");
  await assertRejects(() => all(bus.errors("work").list({ signal: late.signal })), RangeError, "too late");
  await bus.stop();
});

test("whoever puts back what failed is told that it was not all, where the connection broke", async () => {
  const admin: Admin = {
    count: () => never(),
    browse: () => never(),
    take: (queue, sink) => {
      sink.lost([], new DisconnectedError("scripted", `take from "queue:${queue}"`));
      const nothing = () => Promise.resolve();
      return Promise.resolve({
        address: `queue:${queue}`,
        settle: nothing,
        credit: () => {},
        stop: nothing,
        done: Promise.resolve(),
      });
    },
    purge: () => never(),
  };
  const bus = createBus({ name: "operations", transport: Object.assign(new ScriptedTransport(), { admin }) });
  bus.endpoint("work");
  await assertRejects(() => bus.errors("work").requeue("all"), DisconnectedError, "queue:work_error");
  await assertRejects(() => bus.errors("work").discard("all"), DisconnectedError, "queue:work_error");
  await bus.stop();
});
