/** The accounts: what came in, against what came out of it, by every way there is to count. */
import type { Bus } from "@hero/messaging";
import { activity } from "./activity.ts";
import {
  CountWebhooks,
  GetActivity,
  IssueChanged,
  PullRequestChanged,
  Pushed,
  ReleaseChanged,
  StarsChanged,
} from "./contracts.ts";
import { gateway, whilePaused } from "./gateway.ts";
import type { Ledger } from "./ledger.ts";
import { readModel } from "./read_model.ts";

/** One line of the accounts. */
export interface Account {
  readonly claim: string;
  readonly expected: number;
  readonly actual: number;
}

/** How it stands at any quiet moment, poison or not: what was sent was handled, or lies in the error queue. */
export async function balance(bus: Bus, ledger: Ledger): Promise<Account> {
  const { consumed } = ledger.at(gateway);
  const { failed } = await whilePaused(bus, () => bus.counts(gateway));
  return {
    claim: `sent = ${consumed} handled + ${failed} in the error queue`,
    expected: ledger.arrivals,
    actual: consumed + failed,
  };
}

/** The kinds that have an event of their own. */
const typed: ReadonlyMap<string, string> = new Map([
  ["push", Pushed.name],
  ["issues", IssueChanged.name],
  ["pull_request", PullRequestChanged.name],
  ["release", ReleaseChanged.name],
  ["star", StarsChanged.name],
]);

/** Draws up the accounts of what was fed. `inputs`: how many payloads of each kind the files hold, all rounds together. */
export async function drawUp(
  bus: Bus,
  ledger: Ledger,
  inputs: ReadonlyMap<string, number>,
): Promise<readonly Account[]> {
  const { failed } = await whilePaused(bus, () => bus.counts(gateway));
  const { total, counts } = await bus.request(CountWebhooks, { by: "kind" });
  const { events } = await bus.request(GetActivity, {});
  const input = sum(inputs.values());
  const counted = new Map(counts.map(({ name, count }) => [name, count]));
  const active = new Map(events.map(({ name, count }) => [name, count]));
  return [
    { claim: "sent, of all in the files", expected: input, actual: ledger.arrivals },
    await balance(bus, ledger),
    { claim: "left in the error queue", expected: 0, actual: failed },
    { claim: "events published, one a webhook", expected: input, actual: ledger.allPublished },
    { claim: "webhooks in the read model", expected: input, actual: total },
    { claim: "kinds in the read model", expected: inputs.size, actual: counted.size },
    ...[...inputs].map(([kind, expected]) => ({
      claim: `of the kind ${kind}`,
      expected,
      actual: counted.get(kind) ?? 0,
    })),
    ...[...typed].map(([kind, name]) => ({
      claim: `what subscribers to ${name} got`,
      expected: inputs.get(kind) ?? 0,
      actual: active.get(name) ?? 0,
    })),
    { claim: "given up by the gateway, each put back", expected: ledger.returns, actual: ledger.at(gateway).faulted },
    ...[readModel, activity].map((endpoint) => ({
      claim: `given up by ${endpoint}`,
      expected: 0,
      actual: ledger.at(endpoint).faulted,
    })),
    ...[gateway, readModel, activity].map((endpoint) => ({
      claim: `skipped by ${endpoint}`,
      expected: 0,
      actual: bus.statistics(endpoint).skipped,
    })),
  ];
}

/** Those that do not balance. */
export function unbalanced(accounts: readonly Account[]): readonly Account[] {
  return accounts.filter(({ expected, actual }) => expected !== actual);
}

/** How many payloads there are of each kind, fed `rounds` times. */
export function countKinds(payloads: readonly { readonly kind: string }[], rounds: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { kind } of payloads) counts.set(kind, (counts.get(kind) ?? 0) + rounds);
  return counts;
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
