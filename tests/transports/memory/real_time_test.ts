import { assert, assertEquals } from "@std/assert";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { memory } from "../../../transports/memory/mod.ts";
import { test } from "../../support/runner.ts";
import { outgoing, queues } from "./support.ts";

test("on the system's clock, what is due later comes, not early and in order", async () => {
  const clock = realTime();
  const transport = memory();
  await transport.open({ bus: "test", clock, signal: new AbortController().signal, status: () => {} });
  await queues(transport, "q");
  const came: { readonly text: string; readonly at: number }[] = [];
  const receiver = await transport.receive({
    queue: "q",
    topics: [],
    lifetime: "durable",
    credit: 10,
    ordered: false,
    holdMs: 1_000,
    extensions: [],
  }, {
    deliver: (batch) => {
      for (const { frame } of batch) came.push({ text: new TextDecoder().decode(frame.body), at: clock.now() });
      void receiver.settle(batch.map((delivery) => ({ delivery, outcome: "accept" })));
    },
    lost: () => {},
    readdressed: () => {},
  });
  // Far enough for all to be sent before the first is due, on a machine that is busy too.
  const start = clock.now() + 300;
  const receipts: string[] = [];
  const settled = (_: Error | undefined, receipt: string | undefined) => void receipts.push(receipt ?? "");
  for (const ms of [60, 20, 40, 600_000]) {
    void transport.send([outgoing("queue:q", { text: String(ms), dueAt: start + ms, settled })]);
  }
  await eventually(clock, "three messages", () => came.length === 3);
  assertEquals(came.map(({ text }) => text), ["20", "40", "60"]);
  for (const { text, at } of came) assert(at >= start + Number(text), `${text} came at ${at - start}`);
  assertEquals(await transport.cancel!(receipts[3]!), true);
  // Nothing keeps the process alive afterwards: the test itself would not end.
  await transport.close(0);
});
