/** Arrays, as PostgreSQL writes and reads them. */
import { assertEquals } from "@std/assert";
import { parseArray, serializeArray } from "../../../stores/postgres/array_types.ts";
import { test } from "../../support/runner.ts";
import { onPostgres } from "./opened.ts";

const texts = ["", "a", "NULL", "null", '"', "\\", '\\"', "a,b", "{}", "{a}", "  a ", "😀", "\n", ";"];

test("PostgreSQL: an array is read as it was written, whatever its texts hold", () => {
  const same = (text: string): string => text;
  for (const delimiter of [",", ";"]) {
    for (const array of [[], texts, [null, "a", null], [["a", null], ["b", "c"]], [[["x"]], [["y"]]]]) {
      assertEquals(parseArray(String(serializeArray(array, undefined, delimiter)), same, delimiter), array);
    }
  }
  assertEquals(parseArray("[0:1]={1,NULL}", Number, ","), [1, null]);
  assertEquals(serializeArray("{1}", String, ","), "{1}");
  assertEquals(serializeArray([1, undefined], (value) => `<${value}>`, ","), '{"<1>",NULL}');
});

onPostgres("arrays of all kinds go to the server and come back", async (opened) => {
  const store = await opened.store();
  const unit = await store.begin(opened.scope());
  const { tx } = unit;
  const dates = [new Date(0), new Date("2026-01-02T03:04:05.678Z")];
  const bytes = [new Uint8Array([0, 255]), new Uint8Array()];
  const [row] = await tx`
    SELECT ${texts}::text[] AS texts, ${tx.array([1, 2, 3])}::int[] AS numbers, ${
    tx.array(dates)
  }::timestamptz[] AS dates,
      ${tx.array(bytes.map((each) => each), 17)}::bytea[] AS bytes, ARRAY[[1, 2], [3, NULL]] AS nested,
      ARRAY[true, false] AS booleans, '{}'::int[] AS empty, ARRAY['(1,2),(3,4)'::box] AS boxes`;
  assertEquals(row?.["texts"], texts);
  assertEquals(row?.["numbers"], [1, 2, 3]);
  assertEquals(row?.["dates"], dates);
  assertEquals((row?.["bytes"] as readonly Uint8Array[]).map((each) => [...each]), [[0, 255], []]);
  assertEquals(row?.["nested"], [[1, 2], [3, null]]);
  assertEquals(row?.["booleans"], [true, false]);
  assertEquals(row?.["empty"], []);
  assertEquals(row?.["boxes"], ["(3,4),(1,2)"]);
  await unit.rollback();
});
