/** The mediator beside a bare call and its peers. @module */
import { peers } from "../peers/mod.ts";
import { type Figure, type Measure, program, ratio } from "../support/figure.ts";

const of = (name: string): Measure => program(new URL("./run.ts", import.meta.url), [name]);

/** Rates over rates. */
export const figures: readonly Figure[] = [
  ratio("mediator/vs-bare", of("send"), of("bare")),
  ratio("mediator/vs-nestjs-cqrs", of("send"), of("nestjs-cqrs"), [peers]),
  // Both hand an event to one listener and await it.
  ratio("mediator/vs-emittery", of("publish"), of("emittery"), [peers]),
];
