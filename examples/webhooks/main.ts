/**
 * A webhook gateway on real payloads: `deno task demo:webhooks`, or `deno task demo:webhooks --transport rabbitmq`.
 *
 * Ends with 0 only if every payload is accounted for. Without a transport, all is in memory: no server is needed.
 */
import process from "node:process";
import { balance, countKinds, drawUp, unbalanced } from "./accounts.ts";
import { startApp } from "./app.ts";
import { brokerOf } from "./broker.ts";
import { CountWebhooks, GetActivity } from "./contracts.ts";
import { feed, refused } from "./feed.ts";
import { gateway } from "./gateway.ts";
import { readPayloads } from "./payloads.ts";
import { describe, listPoison, putBack } from "./poison.ts";
import { accountLine, accountLines, bars, figures, say, step, watch } from "./report.ts";
import { fixedTranslations } from "./translations.ts";

const roundsAtFullSpeed = 5;

const payloads = await readPayloads();
const kinds = countKinds(payloads, 1 + roundsAtFullSpeed);
const broker = await brokerOf(process.argv.slice(2));
const app = await startApp(broker);
const { bus, ledger } = app;
/** Should a message get lost, the demo fails instead of waiting for it. */
const signal = AbortSignal.timeout(60_000);
const progress = (): string => {
  const { consumed, retried, faulted } = ledger.at(gateway);
  return `${ledger.arrivals} sent, ${consumed} handled, ${retried} retries, ${faulted} given up`;
};

step(`1. ${payloads.length} webhooks of ${kinds.size} kinds, each sent as a validated command (${broker.name})`);
await watch(progress, feed(bus, payloads, ledger, signal));
say(`what is no webhook is not even sent: ${(await refused(bus)).join("; ")}`);

step("2. One of them is poison: it was retried, and lies in the error queue");
for (const message of await listPoison(bus)) say(...describe(message));
const meanwhile = await balance(bus, ledger);
say(accountLine(meanwhile));

step("3. The bug is mended, and the message put back");
app.deploy(fixedTranslations);
ledger.putBack(await putBack(bus));
await watch(progress, ledger.until(() => ledger.idle, signal));

step("4. The read model answers queries");
const { counts, total } = await bus.request(CountWebhooks, { by: "kind" });
say(...bars(counts));
const repositories = await bus.request(CountWebhooks, { by: "repository" });
const actions = await bus.request(CountWebhooks, { by: "action" });
say(`${total} in all, of ${repositories.counts.length} repositories, with ${actions.counts.length} different actions`);
const { commits, issues, merged, releases } = await bus.request(GetActivity, {});
say(`${commits} commits, ${issues} issues, ${merged} merged pull requests, ${releases} releases`);

step(`5. The same again, ${roundsAtFullSpeed} times, at full speed`);
ledger.takeLatencies(); // those of the story are not of interest
const before = performance.now();
await watch(progress, feed(bus, Array(roundsAtFullSpeed).fill(payloads).flat(), ledger, signal));
say(...figures(roundsAtFullSpeed * payloads.length, performance.now() - before, ledger.takeLatencies()));

step("6. The accounts");
const accounts = await drawUp(bus, ledger, kinds);
const wrong = unbalanced([meanwhile, ...accounts]);
say(...accountLines(accounts));
await bus.stop();
await broker[Symbol.asyncDispose]();
say(wrong.length === 0 ? "every payload is accounted for" : `${wrong.length} accounts do not balance`);
process.exitCode = wrong.length === 0 ? 0 : 1;
