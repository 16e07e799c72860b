/** What became of the orders, and whether it balances to the cent. */
import type { Customer, Fate } from "./customers.ts";
import type { Row } from "./database.ts";

/** What the books say of one order. */
interface Booked {
  readonly outcomes: readonly string[];
  readonly paid: number;
  readonly refunded: number;
  readonly pieces: number;
}

const nothing: Booked = { outcomes: [], paid: 0, refunded: 0, pieces: 0 };
/** On a slow day a payment comes after its time: that must balance as well. */
const late = "cancelled: not paid";
const may: Readonly<Record<Fate, readonly string[]>> = {
  "good": ["completed", late],
  "sold out": ["cancelled: sold out", late],
  "declined": ["cancelled: declined", late],
  "not paid": [late],
  "withdrawn": ["cancelled: withdrawn", "completed", late], // it may have been completed before
};

function book(rows: readonly Row[]): ReadonlyMap<string, Booked> {
  const books = new Map<string, Booked>();
  for (const row of rows) {
    const orderId = String(row["order_id"]);
    const { outcomes } = books.get(orderId) ?? nothing;
    books.set(orderId, {
      outcomes: [...outcomes, String(row["outcome"])],
      paid: Number(row["paid"]),
      refunded: -Number(row["refunded"]),
      pieces: Number(row["pieces"]),
    });
  }
  return books;
}

/** What is not as it should be, in words; nothing, once all is done. */
export function unbalanced(customers: readonly Customer[], rows: readonly Row[]): readonly string[] {
  const books = book(rows);
  return customers.flatMap(({ order: { orderId, totalInCents }, fate }) => {
    const { outcomes, paid, pieces } = books.get(orderId) ?? nothing;
    const [outcome = "open", ...more] = outcomes;
    const sold = outcome === "completed";
    const wrong = [
      ...(more.length > 0 ? [`has ${outcomes.length} outcomes: ${outcomes.join(", ")}`] : []),
      ...(may[fate].includes(outcome) ? [] : [`was to be ${fate}, and is ${outcome}`]),
      ...(paid === (sold ? totalInCents : 0) ? [] : [`is ${outcome}, and ${paid} cents are paid`]),
      ...(pieces === (sold ? 1 : 0) ? [] : [`is ${outcome}, and has ${pieces} pieces`]),
    ];
    return wrong.map((what) => `${orderId} ${what}`);
  });
}

/** The final table. */
export function table(customers: readonly Customer[], rows: readonly Row[]): string {
  const books = book(rows);
  const lines = new Map<string, { orders: number; charged: number; refunded: number; pieces: number }>();
  for (const { order: { orderId } } of customers) {
    const { outcomes: [outcome = "open"], paid, refunded, pieces } = books.get(orderId) ?? nothing;
    const line = lines.get(outcome) ?? { orders: 0, charged: 0, refunded: 0, pieces: 0 };
    lines.set(outcome, {
      orders: line.orders + 1,
      charged: line.charged + paid + refunded,
      refunded: line.refunded + refunded,
      pieces: line.pieces + pieces,
    });
  }
  const total = { orders: 0, charged: 0, refunded: 0, pieces: 0 };
  for (const line of lines.values()) {
    for (const column of ["orders", "charged", "refunded", "pieces"] as const) total[column] += line[column];
  }
  const text = (first: string, cells: readonly string[]) =>
    first.padEnd(24) + cells.map((cell) => cell.padStart(14)).join("");
  return [
    text("", ["orders", "charged", "refunded", "kept", "pieces sold"]),
    ...[...lines].sort(([a], [b]) => b.localeCompare(a)).concat([["all", total]]).map(
      ([outcome, { orders, charged, refunded, pieces }]) =>
        text(outcome, [
          String(orders),
          euros(charged),
          euros(refunded),
          euros(charged - refunded),
          String(pieces),
        ]),
    ),
  ].join("\n");
}

function euros(cents: number): string {
  return (cents / 100).toFixed(2);
}
