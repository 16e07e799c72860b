/** The time, looked at once for what is done together. */
import { assertEquals } from "@std/assert";
import { SharedLook } from "../../src/pipeline/shared_look.ts";
import { test } from "../support/runner.ts";

test("one look at the clock is for all that is done together, and each asks anew before and after", () => {
  let now = 0;
  const look = new SharedLook({ now: () => ++now, at: () => () => {} });
  assertEquals([look.now(), look.now()], [1, 2]);
  look.share();
  assertEquals(now, 2);
  assertEquals([look.now(), look.now()], [3, 3]);
  look.end();
  assertEquals([look.now(), look.now()], [4, 5]);
  look.share();
  assertEquals(look.now(), 6);
});
