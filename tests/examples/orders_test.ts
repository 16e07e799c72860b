/** The shop, whose orders are sagas: a day of it with a worker that is killed, and what shows where it does not balance. */
import { assertEquals, assertMatch } from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { table, unbalanced } from "../../examples/orders/balance.ts";
import { customers } from "../../examples/orders/customers.ts";
import type { Row } from "../../examples/orders/database.ts";
import { OrderSaga } from "../../examples/orders/order_saga.ts";
import { verify } from "../../src/sagas/verification.ts";
import { definitionOfSaga } from "../../src/sagas/saga.ts";
import { test } from "../support/runner.ts";
import { balances, day, dayUntil } from "./shop_day.ts";

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "hero-orders-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test(
  "a day of the shop balances to the cent though its worker is killed, all in one file",
  () => inFolder(async (folder) => balances(await day("--file", join(folder, "shop.db")))),
  { timeoutInMs: 120_000 },
);

test("a store or transport that the shop does not know is refused", async () => {
  const store = await day("--store", "paper");
  assertMatch(store.output, /There is no --store paper: say sqlite or postgres/);
  const transport = await day("--transport", "pigeon");
  assertMatch(transport.output, /There is no --transport pigeon: say store or rabbitmq/);
  assertEquals([store.status === 0, transport.status === 0], [false, false]);
});

test("a number of orders that is none is refused", async () => {
  const { status, output } = await day("--orders", "many");
  assertMatch(output, /--orders many is no whole number from 1/);
  assertEquals(status === 0, false);
});

test("a day that waits for its database or its broker says for which, and why", async () => {
  const database = await dayUntil(/\n/, "--store", "postgres", "--postgres", "postgres://127.0.0.1:1/shop");
  assertMatch(database.output, /postgres is down: .*127\.0\.0\.1:1/);
  const broker = await dayUntil(/\n/, "--transport", "rabbitmq", "--rabbitmq", "amqp://127.0.0.1:1");
  assertMatch(broker.output, /rabbitmq is down: Cannot connect to 127\.0\.0\.1:1: /);
});

/** What the books of a day say in which all went as it was to. */
function books(): Row[] {
  return customers("t", 20).map(({ order: { orderId, totalInCents }, fate }) => {
    const sold = fate === "good";
    const refunded = fate === "sold out" || fate === "withdrawn" ? -totalInCents : 0;
    return {
      order_id: orderId,
      outcome: sold ? "completed" : `cancelled: ${fate}`,
      paid: sold ? totalInCents : 0,
      refunded,
      pieces: sold ? 1 : 0,
    };
  });
}

test("a day does not balance with an outcome too many or none, a refund lost, or a piece gone", () => {
  const all = customers("t", 20);
  assertEquals(unbalanced(all, books()), []);
  const change = (at: number, row: Row): Row[] =>
    books().map((each, index) => index === at ? { ...each, ...row } : each);
  const [first] = books();
  assertEquals(unbalanced(all, [...books(), { ...first, outcome: "cancelled: withdrawn" }]), [
    "t00000 has 2 outcomes: completed, cancelled: withdrawn",
  ]);
  assertEquals(unbalanced(all, books().slice(1)), ["t00000 was to be good, and is open"]);
  assertEquals(unbalanced(all, change(12, { paid: 1_444 })), [
    "t00012 is cancelled: sold out, and 1444 cents are paid",
  ]);
  assertEquals(unbalanced(all, change(0, { pieces: 2 })), ["t00000 is completed, and has 2 pieces"]);
  assertEquals(unbalanced(all, change(14, { outcome: "completed" })), [
    "t00014 was to be declined, and is completed",
    "t00014 is completed, and 0 cents are paid",
    "t00014 is completed, and has 0 pieces",
  ]);
});

test("the table of a day sums up its orders and its cents", () => {
  const lines = table(customers("t", 20), books()).split("\n").map((line) => line.trim().split(/\s{2,}/));
  assertEquals(lines[0], ["orders", "charged", "refunded", "kept", "pieces sold"]);
  const sold = customers("t", 12).reduce((sum, { order }) => sum + order.totalInCents, 0);
  assertEquals(lines.find(([name]) => name === "completed"), [
    "completed",
    "12",
    (sold / 100).toFixed(2),
    "0.00",
    (sold / 100).toFixed(2),
    "12",
  ]);
  assertEquals(lines.at(-1)?.[0], "all");
});

test("nothing about the order's saga is suspicious but that cancelled orders are kept", () => {
  const definition = definitionOfSaga(OrderSaga);
  assertEquals(definition === undefined ? [] : verify(definition).map(({ kind, subject }) => `${kind}: ${subject}`), [
    "no way out: cancelled",
  ]);
});
