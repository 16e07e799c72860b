/** To whom units that share a commit hand their messages, whom they wake, and with how many they share it. */
import { assert, assertEquals } from "@std/assert";
import { ClaimLostError } from "../../../src/errors/receiving.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { PostgresReceiver } from "../../../transports/postgres/receiver.ts";
import { deaf } from "./rig.ts";
import { all, letters, refused, sharing } from "./sharing.ts";

sharing("what share a commit of which one is refused keep no room of whom their messages are for", async (sharing) => {
  const { rig, transport } = sharing;
  const out = await rig.receive(transport, "out", { credit: letters.length });
  await rig.hungry(out);
  await sharing.begin();
  await sharing.write();
  await rig.select(
    "UPDATE hero_queue_messages SET deliveries = deliveries + 1, leased_until = 9e15 WHERE body = 'e'::bytea",
  );
  assertEquals(refused(await sharing.commit(), ClaimLostError), "e");
  await rig.came(out, letters.length - 1);
  await rig.send(transport, "queue:out", { text: "e" });
  await rig.came(out, letters.length);
  assertEquals(out.texts.toSorted(), letters);
  await out.accept();
});

sharing("what share a commit wakes who waits at another transport of the store", async (sharing) => {
  const { rig, store } = sharing;
  const out = await rig.receive(await rig.open(postgresTransport(store, deaf)), "out");
  await rig.hungry(out);
  await sharing.begin();
  await sharing.write();
  assertEquals(await sharing.commit(), letters.map(() => undefined));
  await rig.came(out, letters.length);
  await out.accept();
});

sharing("units whose messages are lost to their receiver commit nothing together either", async (sharing) => {
  const { inbox: { receiver } } = sharing;
  await sharing.begin();
  await sharing.write();
  assert(receiver instanceof PostgresReceiver);
  receiver.claims.loseAll(); // of which the database has not heard
  assertEquals(refused(await sharing.commit(), ClaimLostError), all);
  assertEquals(await sharing.seen(), { in: all, out: "", inbox: "" });
});

sharing("messages of one id that share a commit are handed over as what they are", async (sharing) => {
  const { rig, transport } = sharing;
  const out = await rig.receive(transport, "out");
  await rig.hungry(out);
  await sharing.begin();
  await sharing.write((each, at) => [sharing.out(each, { messageId: String(at >> 1) })]);
  assertEquals(await sharing.commit(), letters.map(() => undefined));
  await rig.came(out, letters.length);
  assertEquals(out.texts.toSorted(), letters);
  await out.accept();
});

sharing("units of large messages share a commit with few", async (sharing) => {
  await sharing.begin();
  const frame = { contentType: "a/b", headers: {}, body: new Uint8Array(600_000) };
  await sharing.write((each) => [sharing.out(each, { frame })]);
  assertEquals(await sharing.commit(), letters.map(() => undefined));
  assertEquals(await sharing.commits(), letters.length);
});
