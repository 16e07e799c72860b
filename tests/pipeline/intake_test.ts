import { assert, assertEquals } from "@std/assert";
import { Intake } from "../../src/pipeline/intake.ts";
import type { Delivery } from "../../src/spi/transport.ts";
import { collected } from "../support/collected.ts";
import { test } from "../support/runner.ts";

function delivery(key?: string): Delivery {
  return {
    frame: { contentType: "", headers: {}, body: new Uint8Array(0) },
    key,
    via: undefined,
    deliveryCount: 1,
  };
}

/** An intake, and what it has started. */
function setUp(concurrency = 1): { readonly intake: Intake; readonly started: Delivery[] } {
  const started: Delivery[] = [];
  const intake = new Intake({
    concurrency,
    gates: [],
    slotless: undefined,
    owner: { start: (each) => void started.push(each) },
  });
  return { intake, started };
}

test("what is lost while it waits is not started, whether it waits for a slot or for its key", () => {
  const { intake, started } = setUp(2);
  const [k1, k2, k3, other, last] = [delivery("k"), delivery("k"), delivery("k"), delivery(), delivery()];
  intake.add([k1, k2, k3, other, last]);
  assertEquals(started, [k1, other]);
  assertEquals([intake.running, intake.waiting], [2, 3]);
  intake.lose([k2, last]);
  intake.finished(k1, 1, undefined, true);
  assertEquals(started, [k1, other, k3]);
  intake.finished(other, 2, undefined, true);
  intake.finished(k3, 3, undefined, true);
  assertEquals(started, [k1, other, k3]);
  assertEquals([intake.running, intake.waiting], [0, 0]);
});

test("what is lost while it is being settled is not kept", async () => {
  const { intake, started } = setUp();
  const lost = ((): WeakRef<Delivery> => {
    const settled = delivery();
    intake.add([settled]);
    intake.finished(settled, 1, undefined, true);
    intake.lose([settled]);
    started.length = 0;
    return new WeakRef(settled);
  })();
  assert(await collected([lost]));
  assertEquals(intake.running, 0);
});

test("what waits is given back without what was lost, those of one key in order", () => {
  const { intake, started } = setUp();
  const all = [delivery("k"), delivery("k"), delivery(), delivery("k")];
  intake.add(all);
  assertEquals(started.length, 1);
  intake.lose(all.slice(2, 3));
  assertEquals(intake.clear(), [all[1], all[3]].filter((each) => each !== undefined));
  assertEquals(intake.waiting, 0);
});

test("what waits is told of when it comes, and what starts at once is not", () => {
  const foreseen: (readonly Delivery[])[] = [];
  const intake = new Intake({
    concurrency: 2,
    gates: [],
    slotless: undefined,
    owner: { start: () => {} },
    foresee: (waiting) => void foreseen.push(waiting),
  });
  const [a, b, c, d, e] = [delivery(), delivery(), delivery(), delivery(), delivery()];
  intake.add([a]);
  intake.add([b, c, d]);
  intake.add([e]);
  assertEquals(foreseen, [[c, d], [e]]);
  intake.finished(a, 1, undefined, true);
  assertEquals(foreseen.length, 2, "once each");
});
