/**
 * Writes 20 sagas of ten states for the application of `app.ts`: 43 callbacks that make a message in each, and the
 * usual steps around them.
 *
 * @module
 */
import { type AppSize, size } from "./app.ts";

/** How many there are, and how large. */
export interface SagaSize {
  readonly sagas: number;
  readonly states: number;
  readonly events: number;
}
/** 20 of ten states and five events. */
export const sagaSize: SagaSize = { sagas: 20, states: 10, events: 5 };

function saga(s: number, { states, events }: SagaSize, app: AppSize): string {
  const event = (i: number) => (s * events + i) % app.events;
  const publish = (i: number) =>
    `.publish(c.Event${i % app.events}, (ctx) => ({ orderId: ctx.id, total${
      i % app.events
    }: ctx.saga.total, lines: [{ sku: ctx.state, count: 1 }] }))`;
  const send = (i: number) =>
    `.send(c.Command${i % app.commands}, (ctx) => ({ orderId: ctx.message.orderId, amount${
      i % app.commands
    }: ctx.saga.count, currency: "EUR" }))`;
  const names = Array.from({ length: states }, (_, i) => `"state${i}"`);
  const lines = [
    `export const Saga${s} = saga("saga-${s}", {`,
    `  data: type<Data${s}>(),`,
    `  states: [${names.join(", ")}],`,
    `  timeouts: { due: "15m", late: "1d" },`,
    `  indexes: ["parcel"],`,
    `  events: (on) => ({`,
    `    e0: on.start(c.Event${event(0)}, (m) => m.orderId, (m) => ({ total: m.total${event(0)}, count: 0 })),`,
    `    e1: on.where(c.Event${event(1)}, (m) => ({ parcel: m.orderId })),`,
    ...Array.from({ length: events - 2 }, (_, i) => `    e${i + 2}: on(c.Event${event(i + 2)}, (m) => m.orderId),`),
    `    asked: on(c.Query${s % app.queries}, (m) => m.orderId),`,
    `  }),`,
    `}, ({ initially, during, duringAny, when, whenAll, whenEnter, timeout, sequence }) => {`,
    `  const cancel = sequence((steps) => steps${publish(s)}.transitionTo("state${states - 1}"));`,
    `  return [`,
    `    initially(when("e0", (ctx) => ctx.message.total${event(0)} > 0).schedule("due").transitionTo("state0")),`,
  ];
  for (let i = 0; i < states; i++) {
    const [a, b] = [i % events, (i + 1) % events];
    const n = s * states + i;
    lines.push(
      `    during("state${i}",`,
      `      when("e${a}").unschedule("due").then((ctx) => { ctx.saga.count += ctx.message.lines.length; })${
        publish(n)
      }${send(n)}.transitionTo("state${(i + 1) % states}"),`,
      `      when("e${b}", (ctx) => ctx.message.total${event(b)} > 0)${publish(n + 7)}${send(n + 7)}.run(cancel),`,
      `      timeout("due").run(cancel),`,
      `    ),`,
    );
  }
  lines.push(
    `    during(["state1", "state2"], whenAll("e1", "e2").compensate().finalize()),`,
    `    duringAny(`,
    `      when("asked").respond((ctx) => ({ orderId: ctx.id, status: "new", value${
      s % app.queries
    }: ctx.saga.count })),`,
    `      whenEnter("state3").request(c.Query${(s + 1) % app.queries}, (ctx) => ({ orderId: ctx.id }), {`,
    `        timeout: "30s",`,
    `        pending: "state4",`,
    `        completed: (then) => then.if((ctx) => ctx.message.status === "paid", (paid) => paid.finalize()),`,
    `        faulted: (then) => then.compensate(),`,
    `        timedOut: (then) => then.run(cancel),`,
    `      }),`,
    `      whenEnter("state5").compensateWith("undo", (undo) => undo${publish(s + 3)}),`,
    `    ),`,
    `  ];`,
    `});`,
  );
  return lines.join("\n");
}

/** The file of the sagas. */
export function sagas(sizes: SagaSize = sagaSize, app: AppSize = size): string {
  const all = [`import { saga, type } from "@hero/messaging";`, `import * as c from "./contracts.ts";`];
  for (let s = 0; s < sizes.sagas; s++) {
    all.push(`export interface Data${s} { total: number; count: number; parcel?: string }`, saga(s, sizes, app));
  }
  return all.join("\n") + "\n";
}
