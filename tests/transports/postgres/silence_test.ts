/** A wire to the database that says nothing any more, and does not break either. */
import { assertEquals } from "@std/assert";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { onQueues } from "./rig.ts";

onQueues(
  "a lease is lost when it ends, also where nobody answers whether it is renewed",
  ["q"],
  async (rig) => {
    const there = new URL(rig.bench.url);
    const proxy = await TcpProxy.to(Number(there.port || 5432));
    there.port = String(proxy.port);
    try {
      const options = { lease: "1s", pollInterval: "50ms" } as const;
      const [cutOff, other] = [
        await rig.connect(options, { url: String(there), listen: false }),
        await rig.connect(options),
      ];
      const inbox = await rig.receive(cutOff, "q", { credit: 2 });
      await rig.send(other, "queue:q", { text: "held" });
      await rig.came(inbox, 1);
      proxy.drop(() => true); // of new connections; those that there are say nothing in either direction
      proxy.stall();
      const next = await rig.receive(other, "q", { credit: 1 });
      await rig.came(next, 1);
      assertEquals(next.only.deliveryCount, 2);
      await rig.until("it to be told", () => inbox.lostDeliveries.length === 1);
      await next.accept();
    } finally {
      await proxy[Symbol.asyncDispose]();
    }
  },
);
