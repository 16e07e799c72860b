import { assertEquals } from "@std/assert";
import { frame } from "../../conformance/transport/trial.ts";
import { Backlog } from "../../../transports/memory/backlog.ts";
import { Message, precedes } from "../../../transports/memory/message.ts";
import { test } from "../../support/runner.ts";

function message(position: number, priority?: number): Message {
  return new Message({ frame: frame(""), priority }, "queue:q", position, 1);
}

test("a backlog gives the higher priority first, and what came back in its place", () => {
  const backlog = new Backlog();
  const all: Message[] = [];
  const waiting = new Set<Message>();
  let state = 1;
  for (let round = 0; round < 2_000; round++) {
    state = (Math.imul(state, 48_271) >>> 0) % 2_147_483_647;
    if (state % 3 !== 0 || all.length === 0) {
      const next = message(round, state % 5);
      all.push(next);
      waiting.add(next);
      backlog.add(next);
    } else {
      const first = [...waiting].toSorted((a, b) => (precedes(a, b) ? -1 : 1))[0];
      assertEquals(backlog.peek(), first);
      assertEquals(backlog.take(), first);
      if (first === undefined) continue;
      if (state % 2 === 0) backlog.putBack(first);
      else waiting.delete(first);
    }
    assertEquals(backlog.size, waiting.size);
  }
  const expected = [...waiting].toSorted((a, b) => (precedes(a, b) ? -1 : 1));
  assertEquals([...backlog.inOrder()], expected);
  const middle = expected[Math.floor(expected.length / 2)]!;
  assertEquals(
    [...backlog.inOrder((each) => precedes(middle, each))],
    expected.filter((each) => precedes(middle, each)),
  );
});

test("a priority that is no level is the nearest one", () => {
  assertEquals([undefined, -3, 0.9, 255, 1e9].map((each) => message(0, each).priority), [0, 0, 0, 255, 255]);
});
