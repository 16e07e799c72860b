import { assertEquals } from "@std/assert";
import { Utf8Encoder } from "../../src/serialization/utf8_encoder.ts";
import { test } from "../support/runner.ts";

/** Of any length around those from which another way is taken, with a letter of one to four bytes at either end. */
function* texts(): Generator<string> {
  for (const length of [0, 1, 46, 47, 48, 49, 50, 1000, 2729, 2730, 2731, 9000]) {
    const letters = "x".repeat(length);
    yield letters;
    for (const letter of ["\x7f", "\x80", "é", "€", "😀", "\ud83d"]) {
      yield letter + letters;
      yield letters + letter;
    }
  }
}

test("any text is encoded as by TextEncoder, and what was handed out stays as it was", () => {
  const encoder = new Utf8Encoder();
  const plain = new TextEncoder();
  const all = [...texts(), ...texts()];
  const encoded = all.map((text) => encoder.encode(text));
  for (const [at, text] of all.entries()) assertEquals(encoded[at], plain.encode(text));
});

test("texts share buffers, and each takes no more room there than its bytes", () => {
  const encoder = new Utf8Encoder();
  const [a, b, c, d] = ["short", "é".repeat(30), "long".repeat(30), "end"].map((text) => encoder.encode(text));
  assertEquals([b, c, d].map((each) => each?.buffer === a?.buffer), [true, true, true]);
  assertEquals([b, c, d].map((each) => each?.byteOffset), [5, 5 + 60, 5 + 60 + 120]);
});
