/** What fails for good is not done again and again without a pause. */
import { assert, assertEquals } from "@std/assert";
import type { Message } from "amqplib";
import { NotConfirmedError, UnroutableError } from "../../../src/errors/sending.ts";
import type { Receiver, Settlement } from "../../../src/spi/transport.ts";
import { type Claim, type Claims, RabbitDelivery } from "../../../transports/rabbitmq/claims.ts";
import { DeadSorting } from "../../../transports/rabbitmq/dead_sorting.ts";
import { Postponing } from "../../../transports/rabbitmq/postponing.ts";
import { Retries } from "../../../transports/rabbitmq/retries.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { test } from "../../support/runner.ts";

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

test("rabbitmq: what fails again and again is tried less and less often, once a minute in the end", () => {
  const clock = new FakeClock();
  const times: number[] = [];
  const retries = new Retries<string>(clock, (item) => {
    times.push(clock.now());
    retries.failed(item);
  });
  const begin = clock.now();
  retries.failed("a");
  clock.advance(3_600_000);
  const waits = times.map((time, at) => time - (times[at - 1] ?? begin));
  assert(waits[0]! >= 350 && waits[0]! <= 650, String(waits[0]));
  for (const wait of waits.slice(10)) assert(wait >= 42_000 && wait <= 60_000, String(wait));
  assert(times.length < 100, String(times.length));
});

test("rabbitmq: what goes well beside it does not hurry what fails", () => {
  const clock = new FakeClock();
  const tried: string[] = [];
  const told: boolean[] = [];
  const retries = new Retries<string>(clock, (item) => {
    tried.push(item);
    if (item === "bad") retries.failed(item);
    else told.push(retries.over(item));
  });
  for (let round = 0; round < 200; round++) {
    for (const each of ["good", "bad"]) retries.failed(each);
    clock.advance(500);
  }
  assert(tried.filter((each) => each === "bad").length < 20, String(tried.length));
  assert(told.every((all) => !all));
  assertEquals([retries.over("bad", "good"), clock.waiting], [true, 0]);
});

test("rabbitmq: what is cleared is done no more, and leaves no timer", () => {
  const clock = new FakeClock();
  const tried: string[] = [];
  const retries = new Retries<string>(clock, (item) => void tried.push(item));
  for (const each of ["a", "b"]) retries.failed(each);
  assertEquals([retries.clear(), clock.waiting], [["a", "b"], 0]);
  clock.advance(60_000);
  assertEquals(tried, []);
});

/** One that was returned too often, whose error queue is `q_error`. */
function dead(reason = "delivery_limit"): { readonly delivery: RabbitDelivery; readonly claim: Claim } {
  const message = { fields: { routingKey: "q_error" }, properties: { headers: { "x-death": [{ reason }] } } };
  const claim = { message: message as unknown as Message, state: "unsettled" } as Claim; // nothing else is asked for
  const frame = { contentType: "", headers: {}, body: new Uint8Array() };
  const reading = { key: undefined, deliveryCount: 1, via: undefined, expiresAt: undefined, dueAt: undefined };
  const delivery = new RabbitDelivery({ ...reading, frame, unreadable: undefined }, "queue:q", claim);
  return { delivery, claim };
}

/** Sorting, whose receiver settles as `settle` says. */
function sorting(settle: (settlement: Settlement) => Error | undefined) {
  const clock = new FakeClock();
  const told: string[] = [];
  const troubles: (string | undefined)[] = [];
  const sorting = new DeadSorting(clock, (cause) => void troubles.push(cause?.message));
  const receiver: Partial<Receiver> = {
    settle: (batch) => {
      for (const settlement of batch) {
        told.push(settlement.outcome === "move" ? `move to ${settlement.to}` : settlement.outcome);
        const error = settle(settlement);
        if (error !== undefined) return Promise.reject(error);
      }
      return Promise.resolve();
    },
  };
  sorting.begin(receiver as Receiver); // it calls nothing else
  return { clock, told, troubles, sorting };
}

const refused = new NotConfirmedError("a message", "queue:q_error");

test("rabbitmq: a dead letter that cannot be moved is held and tried later, and health says why", async () => {
  let full = true;
  const { clock, told, troubles, sorting: sink } = sorting(() => full ? refused : undefined);
  sink.deliver([dead().delivery]);
  await turns();
  assertEquals(told, ["move to queue:q_error"]);
  for (let round = 0; round < 600; round++) {
    clock.advance(1_000);
    await turns();
  }
  assert(told.length > 5 && told.length < 30, String(told.length));
  assert(told.every((each) => each === "move to queue:q_error"));
  assertEquals(
    troubles.at(-1),
    `Cannot move to "q_error" what its queue gave up, and tries again: ${refused.message}`,
  );
  full = false;
  const before = told.length;
  clock.advance(60_000);
  await turns();
  assertEquals([told.length, troubles.at(-1), clock.waiting], [before + 1, undefined, 0]);
});

test("rabbitmq: others are sorted meanwhile, and what died of something else or has no queue is dropped", async () => {
  let answers: (Error | undefined)[] = [refused, undefined, new UnroutableError("a message", "queue:q_error")];
  const { told, sorting: sink } = sorting(({ outcome }) => outcome === "move" ? answers.shift() : undefined);
  for (let count = 0; count < 3; count++) {
    sink.deliver([dead().delivery]);
    await turns();
  }
  assertEquals(told.slice(1), ["move to queue:q_error", "move to queue:q_error", "accept"]);
  answers = [];
  sink.deliver([dead("expired").delivery]);
  await turns();
  assertEquals(told.at(-1), "accept");
});

test("rabbitmq: a dead letter that is lost while it is held is tried no more, and troubles nobody", async () => {
  const { clock, told, troubles, sorting: sink } = sorting(() => refused);
  const { delivery, claim } = dead();
  sink.deliver([delivery]);
  await turns();
  claim.state = "lost";
  sink.lost([delivery]);
  assertEquals([troubles.at(-1), clock.waiting], [undefined, 0]);
  clock.advance(3_600_000);
  await turns();
  assertEquals(told.length, 1);
});

test("rabbitmq: a dead letter that is lost while it is moved is not held", async () => {
  const { delivery, claim } = dead();
  const { clock, sorting: sink } = sorting(() => {
    claim.state = "lost";
    sink.lost([delivery]);
    return refused;
  });
  sink.deliver([delivery]);
  await turns();
  assertEquals(clock.waiting, 0);
});

/** Putting off, as `postpone` says. */
function postponing(postpone: () => Promise<void>) {
  const clock = new FakeClock();
  const told: string[] = [];
  const postponing = new Postponing(clock, {
    postpone: () => {
      told.push("postpone");
      return postpone();
    },
    troubled: (cause) => void told.push(cause?.message ?? "fine"),
  });
  const claims: Pick<Claims, "accept"> = { accept: () => void told.push("accept") };
  const claim = { state: "unsettled", claims } as unknown as Claim; // nothing else is asked for
  return { clock, told, postponing, claim };
}

test("rabbitmq: what comes too early and cannot be put off is held, and tried later", async () => {
  let refuses = true;
  const { clock, told, postponing: early, claim } = postponing(() =>
    refuses ? Promise.reject(new Error("no")) : Promise.resolve()
  );
  early.add(claim, 1);
  await turns();
  assertEquals(told, ["postpone", "no"]);
  clock.advance(340);
  await turns();
  assertEquals(told.length, 2);
  refuses = false;
  clock.advance(310);
  await turns();
  assertEquals([told.slice(2), clock.waiting], [["postpone", "accept", "fine"], 0]);
});

test("rabbitmq: what is put off at once ends nobody else's trouble", async () => {
  const { told, postponing: early, claim } = postponing(() => Promise.resolve());
  early.add(claim, 1);
  await turns();
  assertEquals(told, ["postpone", "accept"]);
});

test("rabbitmq: whoever stops gives back what cannot be put off", async () => {
  const { clock, told, postponing: early, claim } = postponing(() => Promise.reject(new Error("no")));
  early.add(claim, 1);
  await turns();
  const back: Claim[] = [];
  early.stop((claim) => void back.push(claim));
  assertEquals([back, clock.waiting], [[claim], 0]);
  early.add(claim, 1);
  await turns();
  assertEquals([back.length, clock.waiting, told.length], [2, 0, 3]);
});
