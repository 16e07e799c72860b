/** What is shown: steps, a live count, and figures. Without a terminal, the same as plain lines. */
import process from "node:process";
import type { Account } from "./accounts.ts";
import type { Count } from "./contracts.ts";

const live = process.stdout.isTTY === true;
const redrawInMs = 100;

/** Says what happens next. */
export function step(title: string): void {
  console.log(`\n${title}`);
}
/** Says something about it. */
export function say(...lines: readonly string[]): void {
  for (const line of lines) console.log(`  ${line}`);
}

/** Shows a count until `work` is over: redrawn on a terminal, else only how it ends. */
export async function watch(count: () => string, work: Promise<void>): Promise<void> {
  const draw = (): void => void process.stdout.write(`\r  ${count()}\x1b[K`);
  const timer = live ? setInterval(draw, redrawInMs) : undefined;
  try {
    await work;
  } finally {
    clearInterval(timer);
    if (live) process.stdout.write("\r\x1b[K");
    say(count());
  }
}

/** Bars, the longest first, and one line for the rest. */
export function bars(counts: readonly Count[], most = 8): readonly string[] {
  const shown = counts.slice(0, most);
  const rest = counts.slice(most).reduce((sum, { count }) => sum + count, 0);
  const longest = Math.max(...shown.map(({ count }) => count), 1);
  const width = Math.max(...shown.map(({ name }) => name.length));
  const bar = (count: number) => "█".repeat(Math.max(1, Math.round(24 * count / longest)));
  return [
    ...shown.map(({ name, count }) => `${name.padEnd(width)} ${number(count).padStart(7)} ${bar(count)}`),
    ...(rest === 0 ? [] : [`${`${counts.length - most} more`.padEnd(width)} ${number(rest).padStart(7)}`]),
  ];
}

/** How fast it went. `latenciesInMs`: the shortest first. */
export function figures(webhooks: number, inMs: number, latenciesInMs: readonly number[]): readonly string[] {
  const at = (part: number) => (latenciesInMs[Math.floor(latenciesInMs.length * part)] ?? NaN).toFixed(2);
  return [
    `throughput ${number(webhooks / inMs * 1000)} webhooks/s (${number(webhooks)} in ${number(inMs)} ms)`,
    `latency    p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, from arrival to the read model`,
  ];
}

/** The accounts: the totals, and of the rest what is wrong. */
export function accountLines(accounts: readonly Account[], totals = 6): readonly string[] {
  const lines = accounts.map((account) => ({ right: account.expected === account.actual, text: accountLine(account) }));
  const rest = lines.slice(totals);
  return [
    ...lines.filter(({ right }, index) => !right || index < totals).map(({ text }) => text),
    `ok    ${rest.filter(({ right }) => right).length} of ${rest.length} accounts of single kinds and endpoints`,
  ];
}

/** One account. */
export function accountLine({ claim, expected, actual }: Account): string {
  return expected === actual
    ? `ok    ${claim}: ${number(actual)}`
    : `WRONG ${claim}: ${number(actual)} instead of ${number(expected)}`;
}

function number(value: number): string {
  return Math.round(value).toLocaleString("en");
}
