import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Deadline, Deadlines } from "../../src/values/deadlines.ts";
import { seededRandom } from "../../src/values/random.ts";
import { collected } from "../support/collected.ts";
import { test } from "../support/runner.ts";

/** A clock that moves when told, and counts the timers that are set. */
class ManualClock {
  time = 0;
  set = 0;
  readonly timers = new Set<{ readonly time: number; readonly run: () => void }>();

  now(): number {
    return this.time;
  }

  at(time: number, run: () => void): () => void {
    this.set++;
    const timer = { time, run };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  advanceTo(time: number): void {
    for (;;) {
      const [next] = [...this.timers].filter((each) => each.time <= time).sort((a, b) => a.time - b.time);
      if (next === undefined) break;
      this.timers.delete(next);
      this.time = Math.max(this.time, next.time);
      next.run();
    }
    this.time = time;
  }
}

test("deadlines expire in order of time, then of adding, never early", () => {
  const clock = new ManualClock();
  const expired: string[] = [];
  const deadlines = new Deadlines<string>(clock, (item) => expired.push(`${item}@${clock.time}`));
  for (const [time, item] of [[30, "a"], [10, "b"], [20, "c"], [10, "d"], [30, "e"]] as const) {
    deadlines.add(time, item);
  }
  assertEquals(clock.timers.size, 1);
  clock.advanceTo(9);
  assertEquals(expired, []);
  clock.advanceTo(20);
  assertEquals(expired, ["b@10", "d@10", "c@20"]);
  assertEquals(deadlines.size, 2);
  clock.advanceTo(1000);
  assertEquals(expired, ["b@10", "d@10", "c@20", "a@30", "e@30"]);
  assertEquals([deadlines.size, clock.timers.size], [0, 0]);
});

test("a clock that wakes late gives all that is due, in order", () => {
  const clock = new ManualClock();
  const expired: number[] = [];
  const deadlines = new Deadlines<number>(clock, (item) => expired.push(item));
  for (const time of [5, 3, 9, 1, 7]) deadlines.add(time, time);
  clock.time = 8;
  clock.advanceTo(8);
  assertEquals(expired, [1, 3, 5, 7]);
});

test("a removed deadline does not expire, and is removed once", () => {
  const clock = new ManualClock();
  const expired: string[] = [];
  const deadlines = new Deadlines<string>(clock, (item) => expired.push(item));
  const [a, b, c] = [deadlines.add(10, "a"), deadlines.add(10, "b"), deadlines.add(20, "c")];
  assertEquals([deadlines.remove(a), deadlines.remove(a)], [true, false]);
  clock.advanceTo(10);
  assertEquals([deadlines.remove(b), deadlines.remove(c), deadlines.size], [false, true, 0]);
  clock.advanceTo(100);
  assertEquals(expired, ["b"]);
});

test("what is past expires soon, not within the call, and does not hold up the clock when added again and again", () => {
  const clock = new ManualClock();
  clock.time = 100;
  let times = 0;
  const deadlines: Deadlines<string> = new Deadlines<string>(clock, () => {
    if (++times < 5) deadlines.add(0, "again");
  });
  deadlines.add(50, "first");
  assertEquals(times, 0);
  const [timer] = clock.timers;
  clock.timers.clear();
  timer?.run();
  assertEquals(times, 1);
  clock.advanceTo(100);
  assertEquals([times, clock.timers.size], [5, 0]);
});

test("while deadlines expire, others of the same time can be removed", () => {
  const clock = new ManualClock();
  const expired: string[] = [];
  const handles = new Map<string, Deadline<string>>();
  const deadlines: Deadlines<string> = new Deadlines<string>(clock, (item) => {
    expired.push(item);
    for (const other of ["b", "c"]) deadlines.remove(handles.get(other) as Deadline<string>);
  });
  for (const [item, time] of [["a", 10], ["b", 10], ["c", 20], ["d", 20]] as const) {
    handles.set(item, deadlines.add(time, item));
  }
  clock.time = 30;
  clock.advanceTo(30);
  assertEquals([expired, deadlines.size], [["a", "d"], 0]);
});

test("one that throws does not keep the others from expiring", () => {
  const clock = new ManualClock();
  const expired: number[] = [];
  const deadlines = new Deadlines<number>(clock, (item) => {
    expired.push(item);
    if (item === 1) throw new Error("no");
  });
  for (const time of [1, 2, 3]) deadlines.add(time, time);
  clock.time = 2;
  assertThrows(() => clock.advanceTo(2), Error, "no");
  clock.advanceTo(3);
  assertEquals(expired, [1, 2, 3]);
});

test("an earlier deadline sets the timer again, a later one does not", () => {
  const clock = new ManualClock();
  const expired: number[] = [];
  const deadlines = new Deadlines<number>(clock, (item) => expired.push(item));
  for (const time of [100, 200, 300, 50]) deadlines.add(time, time);
  assertEquals([clock.set, clock.timers.size], [2, 1]);
  clock.advanceTo(50);
  assertEquals(expired, [50]);
});

test("cleared deadlines do not expire, nor count as removed again", () => {
  const clock = new ManualClock();
  const expired: number[] = [];
  const deadlines = new Deadlines<number>(clock, (item) => expired.push(item));
  const handle = deadlines.add(10, 10);
  deadlines.add(20, 20);
  deadlines.clear();
  assertEquals([deadlines.size, clock.timers.size, deadlines.remove(handle), deadlines.size], [0, 0, false, 0]);
  deadlines.add(30, 30);
  clock.advanceTo(100);
  assertEquals(expired, [30]);
});

test("any mixture of adding, removing and waiting does what a sorted array does", () => {
  const random = seededRandom(3);
  const clock = new ManualClock();
  const expired: number[] = [];
  const deadlines = new Deadlines<number>(clock, (item) => expired.push(item));
  let expected: { readonly time: number; readonly item: number; readonly handle: Deadline<number> }[] = [];
  const due: number[] = [];
  for (let item = 0; item < 20_000; item++) {
    const choice = random();
    if (choice < 0.5) {
      const time = clock.time + 1 + Math.floor(random() * 200);
      expected.push({ time, item, handle: deadlines.add(time, item) });
    } else if (choice < 0.8) {
      const [taken] = expected.splice(Math.floor(random() * expected.length), 1);
      if (taken !== undefined) assertEquals(deadlines.remove(taken.handle), true);
    } else {
      const now = clock.time + Math.floor(random() * 10);
      clock.advanceTo(now);
      due.push(
        ...expected.filter((each) => each.time <= now).sort((a, b) => a.time - b.time || a.item - b.item).map((each) =>
          each.item
        ),
      );
      expected = expected.filter((each) => each.time > now);
    }
    assertEquals(deadlines.size, expected.length);
  }
  assertEquals(expired, due);
  assert(expired.length > 1000, `only ${expired.length} expired`);
});

test("1,000,000 deadlines of 30 s that are removed again leave nothing behind", async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines<object>(clock, () => {});
  const references: WeakRef<object>[] = [];
  (function run() {
    const inFlight: Deadline<object>[] = [];
    for (let count = 0; count < 1_000_000; count++) {
      clock.time = count / 100 | 0;
      const item = { count };
      if (count % 1000 === 0) references.push(new WeakRef(item));
      inFlight[count % 64] = (() => {
        const before = inFlight[count % 64];
        if (before !== undefined) deadlines.remove(before);
        return deadlines.add(clock.time + 30_000, item);
      })();
    }
    assertEquals(deadlines.size, 64);
    for (const handle of inFlight) deadlines.remove(handle);
  })();
  assertEquals([deadlines.size, clock.timers.size], [0, 0]);
  assert(clock.set < 10, `${clock.set} timers were set`);
  assert(await collected(references), "items are still referred to");
});
