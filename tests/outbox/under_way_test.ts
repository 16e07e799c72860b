/** What is under way is known, and what no longer is, is not kept. */
import { assert, assertEquals } from "@std/assert";
import { command } from "../../mod.ts";
import { definitionOf } from "../../src/contracts/definition.ts";
import { Registry } from "../../src/contracts/registry.ts";
import { messageOf } from "../../src/outbox/stored_message.ts";
import { UnderWay } from "../../src/outbox/under_way.ts";
import type { OutboxRow } from "../../src/spi/rows.ts";
import type { Leased } from "../../src/spi/store.ts";
import { test } from "../support/runner.ts";

const registry = new Registry();
registry.add(definitionOf(command("under.way"), "a test's contract"));

function leasedRow(id: string, fence: number): Leased<OutboxRow> {
  const headers = {
    "hero-id": id,
    "hero-type": "under.way",
    "hero-meta": `{"correlation":"c","destination":"queue:q"}`,
  };
  const frame = { contentType: "application/json", headers, body: new TextEncoder().encode("{}") };
  const row = { id, group: "g", key: undefined, to: "queue:q", frame, dueAt: 0, expiresAt: undefined };
  return { row, fence, attempts: 0, until: 1 };
}

test("what is sent is not kept for one of its batch that stays under way", () => {
  const underWay = new UnderWay<OutboxRow>();
  const rows = Array.from({ length: 100 }, (_, at) => leasedRow(String(at), 1));
  const batch = underWay.begin(rows);
  const sends = rows.map((leased) => batch.begin(leased, messageOf(leased.row, registry), undefined));
  const [first, ...others] = sends;
  for (const send of others) {
    send.over = true;
    underWay.over(batch);
  }
  assert(batch.sends.length <= 2, `${batch.sends.length} are kept`);
  const { again } = underWay.begin(["0", "1"].map((id) => leasedRow(id, 2)));
  assertEquals([...again ?? []].map(([id, send]) => [id, send === first]), [["0", true]]);
});
