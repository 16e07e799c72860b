import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  command,
  createMediator,
  event,
  InvalidMessageError,
  query,
  type Schema,
  type SchemaResult,
  type,
} from "../../mod.ts";
import { test } from "../support/runner.ts";

/** What is validated, how often, sooner or later. */
function schemaOf<In, Out>(
  validate: (value: unknown) => SchemaResult<Out>,
  late = false,
): { readonly schema: Schema<In, Out>; readonly calls: () => number } {
  let calls = 0;
  return {
    calls: () => calls,
    schema: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => {
          calls++;
          return late ? Promise.resolve().then(() => validate(value)) : validate(value);
        },
      },
    },
  };
}

interface Written {
  readonly total: string;
}
interface Read {
  readonly total: number;
}

/** Turns text into a number, so that a second validation would fail. */
function totals(late = false): ReturnType<typeof schemaOf<Written, Read>> {
  return schemaOf<Written, Read>((value) => {
    const total = (value as { readonly total?: unknown } | null)?.total;
    return typeof total === "string"
      ? { value: { total: Number(total) } }
      : { issues: [{ message: "must be text", path: ["total"] }] };
  }, late);
}

for (const late of [false, true]) {
  const how = late ? "an asynchronous" : "a synchronous";

  test(`a message is validated once by ${how} schema, and handlers get its output`, async () => {
    const { schema, calls } = totals(late);
    const Pay = command("payments.pay", { schema });
    const Paid = event("payments.paid", { schema });
    const got: unknown[] = [];
    const mediator = createMediator()
      .handle(Pay, (message, ctx) => void got.push(message, ctx.message))
      .handle(Paid, ({ total }) => void got.push(total + 1))
      .handle(Paid, ({ total }) => void got.push(total + 2));

    await mediator.send(Pay, { total: "5" });
    assertEquals(got, [{ total: 5 }, { total: 5 }]);
    assertEquals(calls(), 1);
    await mediator.publish(Paid, { total: "5" });
    assertEquals(got.slice(2), [6, 7]);
    assertEquals(calls(), 2);
  });

  test(`what does not satisfy ${how} schema is refused before any handler runs`, async () => {
    const { schema } = totals(late);
    const Pay = command("payments.pay", { schema });
    const mediator = createMediator().handle(Pay, () => {
      throw new Error("must not run");
    });
    for (const bad of [{ total: 5 }, null, undefined, [], "text", { __proto__: null }]) {
      const error = await assertRejects(() => mediator.send(Pay, bad as never), InvalidMessageError);
      assertEquals(error.issues, ["total: must be text"]);
      assertEquals(error.doing, "send");
    }
  });

  test(`a reply is validated once by ${how} schema, whose output the caller gets`, async () => {
    const reply = schemaOf<number, number>(
      (value) => typeof value === "number" ? { value: value + 1 } : { issues: [{ message: "must be a number" }] },
      late,
    );
    const Ask = query<{ readonly early: boolean; readonly answer: number }, number>("payments.ask", {
      reply: reply.schema,
    });
    const mediator = createMediator().handle(Ask, ({ early, answer }, ctx) => early ? ctx.respond(answer) : answer);

    assertEquals(await mediator.request(Ask, { early: false, answer: 1 }), 2);
    assertEquals(await mediator.request(Ask, { early: true, answer: 5 }), 6);
    assertEquals(reply.calls(), 2);
    for (const early of [false, true]) {
      const error = await assertRejects(
        () => mediator.request(Ask, { early, answer: "text" as never }),
        InvalidMessageError,
      );
      assertEquals(error.issues, ["must be a number"]);
    }
  });
}

test("an event without handlers is validated, too", async () => {
  const Paid = event("payments.paid", { schema: totals().schema });
  await assertRejects(() => createMediator().publish(Paid, { total: 1 } as never), InvalidMessageError);
});

test("a derived event without a schema of its own is held to its base's and keeps its own properties", async () => {
  const Paid = event("payments.paid", { schema: totals().schema });
  const CardPaid = event<Written & { readonly card: string }>("payments.card-paid", { extends: Paid });
  const got: unknown[] = [];
  const mediator = createMediator().handle(Paid, (message) => void got.push(message));

  await mediator.publish(CardPaid, { total: "1", card: "visa" });
  assertEquals(got, [{ total: "1", card: "visa" }]);
  await assertRejects(() => mediator.publish(CardPaid, { card: "visa" } as never), InvalidMessageError);
});

test("type() validates nothing", async () => {
  const Loose = command("payments.loose", { schema: type<{ readonly a: number }>() });
  let got: unknown;
  await createMediator().handle(Loose, (message) => void (got = message)).send(Loose, { a: "text" as never });
  assertEquals(got, { a: "text" });
});

test("a reply of several is told by its kind, and validated as the contract of that name", async () => {
  const Found = event("orders.found", { schema: totals().schema });
  const Missing = event<{ readonly id: string }>("orders.missing");
  const Find = query<{ readonly id: string }, never, { readonly id: string }, {
    readonly found: typeof Found;
    readonly missing: typeof Missing;
  }>("orders.find", { replies: { found: Found, missing: Missing } });
  const mediator = createMediator().handle(Find, ({ id }) => {
    switch (id) {
      case "1":
        // What a handler gives is what the schema takes; the reply's type is what it makes of it.
        return { kind: "found", message: { total: "7" } as never };
      case "2":
        return { kind: "found", message: { total: true } as never };
      case "3":
        return { kind: "toString", message: {} } as never;
      case "4":
        return undefined as never;
      default:
        return { kind: "missing", message: { id } };
    }
  });

  assertEquals(await mediator.request(Find, { id: "1" }), { kind: "found", message: { total: 7 } });
  assertEquals(await mediator.request(Find, { id: "9" }), { kind: "missing", message: { id: "9" } });
  for (const [id, issue] of [["2", "total: must be text"], ["3", "found, missing"], ["4", "found, missing"]] as const) {
    const error = await assertRejects(() => mediator.request(Find, { id }), InvalidMessageError);
    assertEquals(error.issues.join().includes(issue), true, error.message);
  }
});

test("a schema that throws is heard by the caller", async () => {
  const failure = new Error("the schema is broken");
  const Broken = command("payments.broken", {
    schema: schemaOf<Written, Read>(() => {
      throw failure;
    }).schema,
  });
  const mediator = createMediator().handle(Broken, () => {});
  assertStrictEquals(await mediator.send(Broken, { total: "1" }).catch((error) => error), failure);
});

test("a signal that aborts while the message is validated keeps it from being handled", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const { schema } = schemaOf<Written, Read>(() => {
    controller.abort(reason);
    return { value: { total: 1 } };
  }, true);
  const Pay = command("payments.pay", { schema });
  const mediator = createMediator().handle(Pay, () => {
    throw new Error("must not run");
  });
  const got: unknown = await mediator.send(Pay, { total: "1" }, { signal: controller.signal }).catch((error) => error);
  assertStrictEquals(got, reason);
});
