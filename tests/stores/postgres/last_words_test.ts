import { assertEquals } from "@std/assert";
import { beginsWithError, lastWordsOf } from "../../../stores/postgres/last_words.ts";
import { test } from "../../support/runner.ts";

/** An error as a server sends it. */
function sent(...fields: readonly string[]): Uint8Array {
  const text = new TextEncoder().encode(fields.map((each) => `${each}\0`).join("") + "\0");
  const whole = new Uint8Array(text.length + 5 + 8).subarray(8); // a part of something larger, as sockets give it
  whole[0] = "E".charCodeAt(0);
  new DataView(whole.buffer, whole.byteOffset).setUint32(1, text.length + 4);
  whole.set(text, 5);
  return whole;
}

test("what a server says last is read in whatever language it speaks", () => {
  const said = sent("SFATAL", "VFATAL", "C25P03", "Mzu lange untätig", "Fpostgres.c");
  assertEquals(beginsWithError(said), true);
  assertEquals(lastWordsOf(said), { state: "25P03", message: "zu lange untätig" });
  assertEquals(lastWordsOf(sent("SFATAL", "VFATAL", "C57P01", "Mended"))?.state, "57P01");
});

test("an error after which the server goes on, or that is cut off, says nothing of the connection", () => {
  assertEquals(lastWordsOf(sent("SERROR", "VERROR", "C23505", "Mduplicate")), undefined);
  const said = sent("SFATAL", "VFATAL", "C25P03", "Mended");
  for (const length of [0, 1, 4, 5, 12]) assertEquals(lastWordsOf(said.subarray(0, length)), undefined);
  assertEquals(beginsWithError(new Uint8Array([0x5a, 0, 0, 0, 5, 0x49])), false);
});
