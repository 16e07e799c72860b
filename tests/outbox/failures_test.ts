import { assert, assertEquals } from "@std/assert";
import {
  command,
  ConflictError,
  event,
  OutcomeUnknownError,
  retry,
  StoreTimeoutError,
  StoreUnavailableError,
} from "../../mod.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { type Trial, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("failures.work");
const Done = event<{ by: string }>("failures.done");

/** A bus whose handler counts its runs and publishes one event each. */
async function counting(t: Trial, store: ScriptedStore, retries = 0) {
  const seen = { runs: 0, attempts: [] as number[], done: [] as string[] };
  const bus = t.bus({ store });
  bus.endpoint("work", { outbox: true, retry: retry.immediate(retries) }).handle(Work, async (_, ctx) => {
    seen.runs++;
    seen.attempts.push(ctx.attempt);
    await ctx.publish(Done, { by: `run ${seen.runs}` });
  });
  bus.endpoint("done").handle(Done, ({ by }) => void seen.done.push(by));
  await bus.start();
  return { bus, seen };
}

trial("a commit that fails is a failed attempt: nothing of it stays, and the fault tells why", async (t) => {
  const store = new ScriptedStore();
  store.script = (call) => {
    if (call === "commit") throw new Error("disk full");
  };
  const { bus, seen } = await counting(t, store, 2);
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(seen, { runs: 3, attempts: [1, 2, 3], done: [] });
  const [failed] = await t.peek("work_error");
  assertEquals(failed?.frame.headers["hero-error-message"], "disk full");
});

trial("a unit that met another is run again, and no try of the retry policy is spent", async (t) => {
  const store = new ScriptedStore();
  store.script = (call, time) => {
    if (call === "commit" && time <= 3) throw new ConflictError("a row");
  };
  const { bus, seen } = await counting(t, store);
  await bus.send(Work, { id: "1" });
  await t.pass(10_000);
  assertEquals(seen, { runs: 4, attempts: [1, 1, 1, 1], done: ["run 4"] });
  assertEquals(bus.statistics("work").retried, 0);
});

trial("units that meet others wait before they run again, longer and longer, each for a time of its own", async (t) => {
  const gaps: (readonly number[])[] = [];
  for (const random of [0.25, 0.75]) {
    const store = new ScriptedStore();
    store.script = (call, time) => {
      if (call === "commit" && time <= 6) throw new ConflictError("a row");
    };
    const times: number[] = [];
    const bus = t.bus({ store, random: () => random });
    bus.endpoint("work", { outbox: true }).handle(Work, () => void times.push(t.clock.now()));
    await bus.start();
    await bus.send(Work, { id: "1" });
    await t.pass(10_000);
    gaps.push(times.slice(1).map((time, run) => time - times[run]!));
    await bus.stop();
  }
  for (const each of gaps) {
    assertEquals(each, each.toSorted((a, b) => a - b));
    assert(each[0]! > 0 && each.at(-1)! <= 1000 && new Set(each).size === 6, String(each));
  }
  assert(gaps[0]!.every((gap, run) => gap < gaps[1]![run]!), gaps.join(" | "));
});

trial("units that meet others for ever are given up, by the retry policy", async (t) => {
  const store = new ScriptedStore();
  store.script = (call) => {
    if (call === "commit") throw new ConflictError("a row");
  };
  const { bus, seen } = await counting(t, store, 1);
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals([seen.runs, seen.attempts.at(-1), seen.done], [18, 2, []]);
  assertEquals(await t.count("work_error"), 1);
});

for (const written of [true, false]) {
  trial(`a commit of unknown outcome, ${written ? "" : "not "}written, has one effect`, async (t) => {
    const store = new ScriptedStore();
    store.script = (call, time) => {
      if (call === (written ? "committed" : "commit") && time === 1) throw new OutcomeUnknownError("scripted");
    };
    const { bus, seen } = await counting(t, store);
    await bus.send(Work, { id: "1" });
    await t.pass(60_000);
    assertEquals(seen.done, [written ? "run 1" : "run 2"]);
    const { consumed, duplicate, retried } = bus.statistics("work");
    assertEquals({ consumed, duplicate, retried }, { consumed: 1, duplicate: 0, retried: 0 });
  });
}

trial("a store that is away is waited for, and the message does not fail by it", async (t) => {
  const store = new ScriptedStore();
  const { bus, seen } = await counting(t, store);
  let away = true;
  store.script = (call) => {
    if (away && call === "begin") throw new Error("connection refused");
  };
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(seen.runs, 0);
  away = false;
  await t.pass(10_000);
  assertEquals(seen, { runs: 1, attempts: [1], done: ["run 1"] });
});

trial("a store that goes away before a commit is waited for, and the message does not fail by it", async (t) => {
  const store = new ScriptedStore();
  store.script = (call, time) => {
    if (call === "commit" && time <= 3) throw new StoreUnavailableError("scripted", "there", "connection refused");
  };
  const { bus, seen } = await counting(t, store);
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(seen, { runs: 4, attempts: [1, 1, 1, 1], done: ["run 4"] });
});

trial("a commit that the store ends for its time is a failed attempt, which the retry policy counts", async (t) => {
  const store = new ScriptedStore();
  store.script = (call, time) => {
    if (call === "commit" && time <= 2) throw new StoreTimeoutError("scripted", "there", "statement timeout");
  };
  const { bus, seen } = await counting(t, store, 1);
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(seen, { runs: 2, attempts: [1, 2], done: [] });
  assertEquals((await t.peek("work_error")).length, 1);
});

trial("what was sent and could not be told to the store is told again", async (t) => {
  const store = new ScriptedStore();
  store.script = (call, time) => {
    if (call === "done" && time <= 2) throw new Error("connection refused");
  };
  const { bus, seen } = await counting(t, store);
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(seen.done, ["run 1"]);
  assert(store.count("done") >= 3);
  assertEquals((await store.outbox.stats("app")).waiting, 0);
});

trial("a unit is about one message, which has its own place in the inbox for each time it is put off", async (t) => {
  const store = new ScriptedStore();
  const bus = t.bus({ store });
  bus.endpoint("work", { outbox: true }).handle(Work, async (_, ctx) => {
    if (store.scopes.length === 1) await ctx.defer("1s");
  });
  await bus.start();
  await bus.send(Work, { id: "1" }, { messageId: "m" });
  await t.pass(1000);
  assertEquals(
    store.scopes.map(({ bus, partition, inbox: [key] }) => [bus, partition, key?.endpoint, key?.messageId]),
    [["app", "m", "work", "m#0"], ["app", "m", "work", "m#1"]],
  );
});
