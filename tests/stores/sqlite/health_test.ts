/** What the health of a bus says of a file that cannot be written. */
import { assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBus, event } from "../../../mod.ts";
import { sqlite } from "../../../stores/sqlite/mod.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";

const Placed = event<{ id: string }>("health.placed");

test("a bus whose file has no room for its inbox is degraded, and says so", async () => {
  const folder = mkdtempSync(join(tmpdir(), "hero-sqlite-"));
  const clock = realTime();
  const bus = createBus({
    name: "orders",
    store: sqlite({ path: join(folder, "orders.db"), synchronous: "normal" }),
  });
  bus.endpoint("placed", { outbox: true }).handle(Placed, () => {});
  await bus.start();
  const limit = (pages: number) => bus.transaction(async (tx) => void await tx.get(`PRAGMA max_page_count = ${pages}`));
  const part = () => bus.health().parts.find(({ name }) => name === "store sqlite");
  try {
    await limit(1); // it cannot be less than there are
    for (let at = 0; at < 1_000; at++) await bus.publish(Placed, { id: `${at}` }); // some of them fit yet
    await eventually(clock, "health to tell", () => part()?.status === "degraded");
    assertStringIncludes(part()?.reason ?? "", " held: ");
    assertStringIncludes(part()?.reason ?? "", "no room left");
    await limit(1_000_000);
    await bus.publish(Placed, { id: "last" });
    await eventually(clock, "health to be well", () => part()?.status === "healthy");
  } finally {
    await bus.stop();
    rmSync(folder, { recursive: true });
  }
});
