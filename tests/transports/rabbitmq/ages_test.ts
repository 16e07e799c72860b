import { assertEquals } from "@std/assert";
import { Ages } from "../../../transports/rabbitmq/ages.ts";
import { test } from "../../support/runner.ts";

test("rabbitmq: how long ago a message came is known to the second, of the oldest that is asked for", () => {
  const ages = new Ages();
  assertEquals(ages.of(1, 0), 0);
  ages.note(1, 10_000, 1);
  ages.note(2, 10_400, 1); // within the first's second
  ages.note(3, 11_000, 1);
  ages.note(4, 20_000, 1);
  assertEquals([ages.of(1, 21_000), ages.of(2, 21_000)], [11_000, 11_000]);
  assertEquals([ages.of(3, 21_000), ages.of(4, 21_000), ages.of(5, 21_000)], [10_000, 1_000, 1_000]);
});

test("rabbitmq: what is settled is forgotten, and what is not is known, however many come behind it", () => {
  const ages = new Ages();
  for (let tag = 1; tag <= 100; tag++) ages.note(tag, tag * 1_000, Math.min(tag, 50));
  assertEquals([ages.of(50, 200_000), ages.of(100, 200_000)], [150_000, 100_000]);
});
