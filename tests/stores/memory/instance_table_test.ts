/** The instances of one saga, by id. */
import { assert, assertEquals } from "@std/assert";
import type { SagaRow } from "../../../src/spi/rows.ts";
import { seededRandom } from "../../../src/values/random.ts";
import { InstanceTable } from "../../../stores/memory/instance_table.ts";
import { test } from "../../support/runner.ts";

function row(id: string, version: number): SagaRow {
  const data = new Uint8Array();
  return { saga: "s", id, incarnation: "a", version, schema: 1, state: "x", data, types: undefined, index: {} };
}

test("instances: whatever is put in and taken out, the table has what a map has", () => {
  const random = seededRandom(11);
  const below = (end: number): number => Math.floor(random() * end);
  const model = new Map<string, SagaRow>();
  const table = new InstanceTable();
  // Grows, shrinks, and grows again.
  for (const [steps, share] of [[4_000, 0.9], [6_000, 0.1], [4_000, 0.7]] as const) {
    for (let step = 0; step < steps; step++) {
      const id = ["", "a\u0000", "é"][below(3)] + String(below(1_500));
      if (random() < share) {
        const added = row(id, step);
        model.set(id, added);
        table.set(added);
      } else {
        model.delete(id);
        table.delete(id);
      }
      assertEquals(table.size, model.size);
      assert(table.get(id) === model.get(id));
    }
    for (let number = 0; number < 1_500; number++) {
      assert(table.get(String(number)) === model.get(String(number)));
      assert(table.get(`é${number}`) === model.get(`é${number}`));
    }
    assertEquals(new Set(table), new Set(model.values()));
  }
});
