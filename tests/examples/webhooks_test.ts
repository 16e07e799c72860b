import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { balance, countKinds, drawUp, unbalanced } from "../../examples/webhooks/accounts.ts";
import { type App, type AppOptions, startApp } from "../../examples/webhooks/app.ts";
import { brokerOf, overRabbitmq } from "../../examples/webhooks/broker.ts";
import { CountWebhooks, GetActivity } from "../../examples/webhooks/contracts.ts";
import { feed, refused } from "../../examples/webhooks/feed.ts";
import { type Payload, readPayloads } from "../../examples/webhooks/payloads.ts";
import { describe, listPoison, putBack } from "../../examples/webhooks/poison.ts";
import { accountLines, bars, figures } from "../../examples/webhooks/report.ts";
import { fixedTranslations } from "../../examples/webhooks/translations.ts";
import { test } from "../support/runner.ts";
import { run } from "./program.ts";
import { skip, url } from "../transports/rabbitmq/broker.ts";

/** Only so that what gets lost fails the test instead of hanging it. */
const patience = (): AbortSignal => AbortSignal.timeout(50_000);

async function withApp(work: (app: App) => Promise<void>, options: AppOptions = {}): Promise<void> {
  const app = await startApp(options);
  try {
    await work(app);
  } finally {
    await app.bus.stop();
  }
}

const issue = (body: string | null): Payload => ({
  kind: "issues",
  body: { action: "opened", repository: { full_name: "octo/hello" }, issue: { number: 1, title: "Help", body } },
});
const fork: Payload = { kind: "fork", body: { repository: { full_name: "octo/hello" } } };

/** Feeds all payloads, mends the bug and puts the poison back; then all must be accounted for. */
async function accountForAll({ bus, ledger, deploy }: App): Promise<void> {
  const payloads = await readPayloads();
  assert(payloads.length > 700, `only ${payloads.length} payloads were read`);
  await feed(bus, payloads, ledger, patience());
  const poison = await listPoison(bus);
  assertEquals(poison.length, 1);
  assertEquals(poison[0]?.attempts, 4);
  const meanwhile = await balance(bus, ledger);
  assertEquals(meanwhile.actual, payloads.length);
  assertEquals(meanwhile.expected, payloads.length);

  deploy(fixedTranslations);
  ledger.putBack(await putBack(bus));
  await ledger.until(() => ledger.idle, patience());
  const accounts = await drawUp(bus, ledger, countKinds(payloads, 1));
  assertEquals(unbalanced(accounts), []);
  assertEquals((await bus.counts("gateway")).failed, 0);
}

test("the webhook gateway accounts for every payload there is, the poison included", () => withApp(accountForAll));

test("rabbitmq: the webhook gateway accounts for every payload there is over a real broker, too", async () => {
  const broker = await overRabbitmq(url);
  try {
    await withApp(accountForAll, broker);
  } finally {
    await broker[Symbol.asyncDispose]();
  }
}, { skip, timeoutInMs: 120_000 });

test("the webhook gateway that waits for its broker says for which, and why", async () => {
  const { output } = await run("webhooks", ["--transport", "rabbitmq"], {
    until: /\n/,
    environment: { RABBITMQ_URL: "amqp://127.0.0.1:1" },
  });
  assertMatch(output, /rabbitmq is down: Cannot connect to 127\.0\.0\.1:1: /);
});

test("a transport that the demo does not know is refused", async () => {
  await assertRejects(() => brokerOf(["--transport", "pigeon"]), Error, `There is no transport "pigeon"`);
  assertEquals((await brokerOf([])).transport, undefined);
});

test("the webhook gateway's accounts do not balance while a message lies in the error queue", async () => {
  await withApp(async ({ bus, ledger }) => {
    const payloads = [issue("It is broken"), issue(null), fork];
    await feed(bus, payloads, ledger, patience());
    const wrong = unbalanced(await drawUp(bus, ledger, countKinds(payloads, 1)));
    assert(wrong.some(({ claim, actual }) => claim === "left in the error queue" && actual === 1));
    assert(
      wrong.some(({ claim, expected, actual }) => claim === "of the kind issues" && expected === 2 && actual === 1),
    );
  });
});

test("the webhook gateway's accounts do not balance if a payload was never sent", async () => {
  await withApp(async ({ bus, ledger }) => {
    await feed(bus, [fork], ledger, patience());
    const wrong = unbalanced(await drawUp(bus, ledger, countKinds([fork, fork], 1)));
    assert(wrong.some(({ claim }) => claim === "sent, of all in the files"));
    assert(accountLines(wrong).some((line) => line.startsWith("WRONG")));
  });
});

test("who subscribes to the base gets all webhooks, who subscribes to a kind gets its own", async () => {
  await withApp(async ({ bus, ledger }) => {
    await feed(bus, [issue("a"), fork, issue("b"), fork, fork], ledger, patience());
    assertEquals(await bus.request(CountWebhooks, { by: "kind" }), {
      total: 5,
      counts: [{ name: "fork", count: 3 }, { name: "issues", count: 2 }],
    });
    const { events, issues } = await bus.request(GetActivity, {});
    assertEquals(events, [{ name: "webhooks.issue-changed", count: 2 }]);
    assertEquals(issues, 1);
  });
});

test("what is no webhook is refused before it is sent, every issue named", async () => {
  await withApp(async ({ bus, ledger }) => {
    const issues = await refused(bus);
    assertEquals(issues.map((each) => each.split(":", 1)[0]), ["deliveryId", "payload.repository"]);
    const { waiting, active, failed } = await bus.counts("gateway");
    assertEquals(waiting + active + failed, 0);
    assertEquals(ledger.arrivals, 0);
  });
});

test("a poison message tells what it is, why it failed and how often it was tried", async () => {
  await withApp(async ({ bus, ledger }) => {
    await feed(bus, [issue(null)], ledger, patience());
    const [message] = await listPoison(bus);
    assert(message !== undefined);
    const [what, when, why] = describe(message);
    assert(what?.startsWith("webhooks.receive "), what);
    assert(when?.endsWith("after 4 attempts"), when);
    assert(why?.startsWith("ZodError: "), why);
  });
});

test("waiting for a webhook that got lost ends with the signal's reason", async () => {
  await withApp(async ({ ledger }) => {
    ledger.arrived("never sent");
    const lost = new AbortController();
    const waiting = ledger.until(() => ledger.idle, lost.signal);
    lost.abort(new Error("A webhook got lost"));
    await assertRejects(() => waiting, Error, "A webhook got lost");
  });
});

test("the report shows the rest of long lists in one line, and percentiles of what was measured", () => {
  const counts = [{ name: "push", count: 4 }, { name: "fork", count: 2 }, { name: "star", count: 1 }];
  assertEquals(bars(counts, 2), [
    "push       4 ████████████████████████",
    "fork       2 ████████████",
    "1 more       1",
  ]);
  assertEquals(figures(2000, 500, [1, 2, 3, 4]), [
    "throughput 4,000 webhooks/s (2,000 in 500 ms)",
    "latency    p50 3.00 ms, p99 4.00 ms, from arrival to the read model",
  ]);
});
