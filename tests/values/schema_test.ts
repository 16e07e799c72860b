import { assertEquals } from "@std/assert";
import { z } from "zod";
import { issuesOf, type Schema, type, validates } from "../../src/values/schema.ts";
import { test } from "../support/runner.ts";

const Order = z.object({ id: z.string(), lines: z.array(z.object({ price: z.number().positive() })) });

test("a type that is only claimed need not be validated, and lets all pass", async () => {
  const schema = type<{ readonly id: string }>();
  assertEquals(validates(schema), false);
  assertEquals(validates(undefined), false);
  const given = { id: "1" };
  const result = await schema["~standard"].validate(given);
  assertEquals(result, { value: given });
  assertEquals(issuesOf(result), []);
});

test("a schema of zod fits as it is, and is validated", async () => {
  const schema: Schema<z.input<typeof Order>, z.output<typeof Order>> = Order;
  assertEquals(validates(schema), true);
  assertEquals(issuesOf(await schema["~standard"].validate({ id: "1", lines: [{ price: 1 }] })), []);
  const issues = issuesOf(await schema["~standard"].validate({ id: 1, lines: [{ price: 1 }, { price: -1 }] }));
  assertEquals(issues.length, 2);
  assertEquals(issues.map((issue) => issue.slice(0, issue.indexOf(":"))), ["id", "lines.1.price"]);
});

test("an issue is shown with its path, in both of the forms that Standard Schema has", () => {
  const issues = [
    { message: "is wrong" },
    { message: "is wrong", path: [] },
    { message: "is missing", path: ["a", 0, Symbol("s")] },
    { message: "is odd", path: [{ key: "a" }, { key: 1 }] },
    { message: "is undefined", path: undefined },
  ];
  assertEquals(issuesOf({ issues }), [
    "is wrong",
    "is wrong",
    "a.0.Symbol(s): is missing",
    "a.1: is odd",
    "is undefined",
  ]);
});
