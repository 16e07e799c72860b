import { assertEquals } from "@std/assert";
import { VirtualClock } from "../../../src/testing/virtual_clock.ts";
import { Flights, type Job, mostBytes } from "../../../stores/postgres/flights.ts";
import { test } from "../../support/runner.ts";

interface Named extends Job {
  readonly name: string;
}

/** Flights that land when they are told to. */
function carrying() {
  const carried: string[] = [];
  const rejected: string[] = [];
  const landings: (() => void)[] = [];
  const clock = new VirtualClock();
  const flights = new Flights<Named>((jobs) => {
    carried.push(jobs.map(({ name }) => name).join(""));
    return new Promise((resolve) => landings.push(resolve));
  }, clock);
  const add = (name: string, bytes = 0, begin: () => void = () => {}): void =>
    flights.add({ name, bytes, begin, reject: (reason) => rejected.push(`${name}: ${reason}`) });
  const turn = async (): Promise<void> => {
    for (let hops = 0; hops < 30; hops++) await undefined;
  };
  return { carried, rejected, landings, clock, add, turn };
}

test("jobs of one turn share two flights, and what comes meanwhile the next", async () => {
  const { carried, landings, add, turn } = carrying();
  for (const name of "abcde") add(name);
  await turn();
  for (const name of "fgh") add(name);
  await turn();
  assertEquals(carried, ["abc", "de"]);
  landings[0]?.();
  await turn();
  assertEquals(carried, ["abc", "de", "fgh"]);
});

test("whoever is given up is left out, also where nobody else is in its flight", async () => {
  const { carried, rejected, add, turn } = carrying();
  let over = false;
  const begin = (): void => {
    if (over) throw "no more";
  };
  add("a", 0, begin);
  add("b");
  over = true;
  await turn();
  assertEquals([carried, rejected], [["b"], ["a: no more"]]);
  add("c", 0, begin);
  await turn();
  assertEquals([carried, rejected], [["b"], ["a: no more", "c: no more"]]);
});

test("a flight carries no more than so many bytes, unless it has one job", async () => {
  const { carried, add, turn } = carrying();
  for (const name of "abcd") add(name, mostBytes * 0.6);
  await turn();
  assertEquals(carried, ["a", "b"]);
});

test("a flight that takes long holds up none that comes later", async () => {
  const { carried, clock, add, turn } = carrying();
  add("a");
  add("b");
  await turn();
  add("c");
  await turn();
  assertEquals(carried, ["a", "b"]);
  await clock.advanceTo(clock.now() + 20, turn);
  await turn();
  assertEquals(carried, ["a", "b", "c"]);
});
