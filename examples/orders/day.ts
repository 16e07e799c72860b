/** A day of the shop, and its accounts. */
import type { Bus } from "@hero/messaging";
import { GetOrder, PayOrder, PlaceOrder } from "./contracts.ts";
import type { Database } from "./database.ts";
import { listMails, listOrders } from "./tables.ts";

/** What was to be, and what is. */
export interface Account {
  readonly claim: string;
  readonly expected: readonly string[];
  readonly actual: readonly string[];
}

/** How a day goes. */
export interface DayOptions {
  /** Ids begin so: no two days have the same. */
  readonly day: string;
  readonly orders: number;
  /** Should a message get lost, the day fails instead of never ending. */
  readonly signal: AbortSignal;
}

/** Orders come, each twice, as from clients that hear no answer in time; every other one is paid. */
export async function runDay<Tx>(
  bus: Bus<Tx>,
  { sql }: Database<Tx>,
  { day, orders, signal }: DayOptions,
): Promise<readonly Account[]> {
  const ids = Array.from({ length: orders }, (_, at) => `${day}-${String(at).padStart(6, "0")}`);
  for (const orderId of ids) {
    const [order, options] = [{ orderId, totalInCents: 1_000 }, { messageId: `place ${orderId}` }];
    await Promise.all([bus.send(PlaceOrder, order, options), bus.send(PlaceOrder, order, options)]);
  }

  const paid = new Set<string>();
  for (const [at, orderId] of ids.entries()) {
    // The answer is part of the commit: who has it can rely on it.
    if (at % 2 === 0 && (await bus.request(PayOrder, { orderId }, { signal })).paid) paid.add(orderId);
  }
  const stands = ids.map((id) => `${id} ${paid.has(id) ? "paid" : "closed"}`);
  const mails = [...stands, ...ids.map((id) => `${id} placed`)];

  // Those that nobody has paid are closed when their time is over.
  const readMails = () => bus.transaction((tx) => listMails(sql(tx), day));
  while (without(mails, await readMails()).length > 0) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  const answers: string[] = [];
  for (const orderId of ids) {
    answers.push(`${orderId} ${(await bus.request(GetOrder, { orderId }, { signal })).status}`);
  }
  return [
    {
      claim: "each order has one row",
      expected: stands,
      actual: await bus.transaction((tx) => listOrders(sql(tx), day)),
    },
    { claim: "each customer had two mails", expected: mails, actual: await readMails() },
    { claim: "the query tells how each order stands", expected: stands, actual: answers },
  ];
}

/** What does not balance, in words. */
export function unbalanced(accounts: readonly Account[]): readonly string[] {
  return accounts.flatMap(({ claim, expected, actual }) => {
    const [lacking, extra] = [without(expected, actual), without(actual, expected)];
    return lacking.length + extra.length === 0
      ? []
      : [`${claim}: ${lacking.length} are missing, ${extra.length} too many (${[...lacking, ...extra].slice(0, 3)})`];
  });
}

/** What is in the one, as often as it is there, and not in the other. */
function without(these: readonly string[], those: readonly string[]): readonly string[] {
  const left = new Map<string, number>();
  for (const each of those) left.set(each, (left.get(each) ?? 0) + 1);
  return these.filter((each) => {
    const count = left.get(each) ?? 0;
    left.set(each, count - 1);
    return count <= 0;
  });
}
