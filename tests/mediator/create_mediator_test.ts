import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  command,
  ConfigurationError,
  consumer,
  createMediator,
  DuplicateContractError,
  DuplicateOwnerError,
  event,
  type Handler,
  HeroError,
  InvalidDurationError,
  InvalidNameError,
  query,
} from "../../mod.ts";
import { test } from "../support/runner.ts";

const Submit = command<{ readonly orderId: string }>("orders.submit");
const Price = command<{ readonly orderId: string }, number>("orders.price");
const Submitted = event<{ readonly orderId: string }>("orders.submitted");
const GetStatus = query<{ readonly orderId: string }, { readonly status: string }>("orders.get-status");

test("a second handler of a command or query is refused when it is added, and both are named", () => {
  const mediator = createMediator();
  const first = () => {};
  mediator.handle(Submit, first);
  mediator.add(consumer(GetStatus, () => ({ status: "new" }), { name: "status" }));

  const error = assertThrows(() => mediator.handle(Submit, () => {}), DuplicateOwnerError);
  assertEquals(error.details, { contract: "orders.submit", endpoints: ["first", "a handler without a name"] });
  assertThrows(() => mediator.add(consumer(Submit, () => {})), DuplicateOwnerError);
  const other = assertThrows(() => mediator.handle(GetStatus, () => ({ status: "" })), DuplicateOwnerError);
  assertStringIncludes(other.message, `"status"`);
});

test("a handler that was refused is not there", async () => {
  let handled = "";
  const mediator = createMediator().handle(Submit, () => void (handled += "a"));
  assertThrows(() => mediator.handle(Submit, () => void (handled += "b")), DuplicateOwnerError);
  await mediator.send(Submit, { orderId: "1" });
  assertEquals(handled, "a");
});

test("two contracts of one name and version are refused, whether they are handled or sent", async () => {
  const Other = command<{ readonly orderId: string }>("orders.submit");
  const mediator = createMediator().handle(Submit, () => {});
  assertThrows(() => mediator.handle(Other, () => {}), DuplicateContractError);
  await assertRejects(() => mediator.send(Other, { orderId: "1" }), DuplicateContractError);
});

test("a name that no endpoint could have is refused", () => {
  for (const name of ["", "a b", "-a", 5, null] as const) {
    assertThrows(() => createMediator({ name: name as string }), InvalidNameError);
  }
  assertEquals(createMediator().name, "mediator");
  assertEquals(createMediator({ name: "shop" }).name, "shop");
});

test("what is no contract, function or consumer is refused by name", () => {
  const mediator = createMediator();
  for (const bad of [undefined, null, "orders.submit", {}, { kind: "command", name: "x" }, () => {}]) {
    assertThrows(() => mediator.handle(bad as never, () => {}), ConfigurationError, "not a contract");
  }
  for (const bad of [undefined, null, "handler", {}, { handle: () => {} }]) {
    assertThrows(() => mediator.handle(Submit, bad as never), ConfigurationError, "must be a function");
    assertThrows(() => mediator.use(bad as never), ConfigurationError, "must be a function");
    assertThrows(() => mediator.add(bad as never), ConfigurationError, "consumer()");
  }
  const activity = { name: "pay", runs: "on two endpoints of its own", contracts: [], consume: () => {} };
  assertThrows(() => mediator.add(activity as never), ConfigurationError, "bus.add()");
});

test("calls reject, and never throw, whatever they are given", async () => {
  const mediator = createMediator().handle(Submit, () => {}).handle(Submitted, () => {}).handle(GetStatus, () => ({
    status: "",
  }));
  const message = { orderId: "1" };
  const wrong: readonly [() => Promise<unknown>, string][] = [
    ...[undefined, null, "orders.submit", {}, 5].flatMap((bad): [() => Promise<unknown>, string][] => [
      [() => mediator.send(bad as never, message as never), "the contract to send"],
      [() => mediator.publish(bad as never, message as never), "the contract to publish"],
      [() => mediator.request(bad as never, message as never), "the contract to request"],
      [() => mediator.request(bad as never, message as never, { timeout: 5 }), "the contract to request"],
    ]),
    [() => mediator.send(Submitted as never, message as never), "Publish it"],
    [() => mediator.request(Submitted as never, message as never), "Publish it"],
    [() => mediator.send(GetStatus as never, message as never), "Request it"],
    [() => mediator.publish(GetStatus as never, message as never), "Request it"],
    [() => mediator.publish(Submit as never, message as never), "Send it"],
  ];
  for (const [call, text] of wrong) {
    let rejection: Promise<unknown> | undefined;
    const error = await assertRejects(() => rejection = call(), ConfigurationError, text);
    assert(rejection instanceof Promise && error instanceof HeroError);
  }
  await assertRejects(
    () => mediator.request(GetStatus, message, { timeout: "5 s" as never }),
    InvalidDurationError,
  );
});

test("a message that a contract without schema does not look at arrives as it is", async () => {
  const got: unknown[] = [];
  const mediator = createMediator().handle(Submit, (message) => void got.push(message));
  for (const odd of [undefined, null, 0, "", []]) await mediator.send(Submit, odd as never);
  assertEquals(got, [undefined, null, 0, "", []]);
});

test("what must not compile does not", () => {
  const mediator = createMediator();
  const never = (): void => {
    // @ts-expect-error -- a misspelt property
    mediator.send(Submit, { orderID: "1" });
    // @ts-expect-error -- one too many
    mediator.send(Submit, { orderId: "1", total: 1 });
    // @ts-expect-error -- an event is published
    mediator.send(Submitted, { orderId: "1" });
    // @ts-expect-error -- a query is requested
    mediator.send(GetStatus, { orderId: "1" });
    // @ts-expect-error -- a command is sent
    mediator.publish(Submit, { orderId: "1" });
    // @ts-expect-error -- nobody answers an event
    mediator.request(Submitted, { orderId: "1" });
    // @ts-expect-error -- there is no queue to send it to
    mediator.send(Submit, { orderId: "1" }, { to: "queue:orders" });
    // @ts-expect-error -- there is no queue in which it could wait
    mediator.send(Submit, { orderId: "1" }, { delay: "1s" });
    // @ts-expect-error -- what is sent is not waited for by itself
    mediator.send(Submit, { orderId: "1" }, { timeout: "1s" });
    // @ts-expect-error -- the reply is { status }
    mediator.handle(GetStatus, () => ({ state: "new" }));
    // @ts-expect-error -- the reply is a number
    mediator.handle(Price, () => "1");
    // @ts-expect-error -- the message has no total
    mediator.handle(Submit, (order) => order.total);
    // @ts-expect-error -- there is no transaction
    mediator.handle(Submit, (_, ctx) => ctx.tx.query);
    // @ts-expect-error -- nothing is scheduled
    mediator.schedule(Submit, { orderId: "1" }, { in: "1s" });
  };
  assertEquals(typeof never, "function");
});

test("what must compile does: types follow the contract, and handlers are those of a bus", async () => {
  const anywhere: Handler<{ readonly orderId: string }, number> = (order) => order.orderId.length;
  const mediator = createMediator().handle(Price, anywhere).handle(GetStatus, (_, ctx) => ctx.respond({ status: "" }));
  const price: number = await mediator.request(Price, { orderId: "123" });
  const { status }: { readonly status: string } = await mediator.request(GetStatus, { orderId: "1" });
  assertEquals([price, status], [3, ""]);
});
