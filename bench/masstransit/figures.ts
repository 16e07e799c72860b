/** Beside MassTransit, on the same work. @module */
import { broker } from "../rabbitmq/broker.ts";
import { type Figure, type Measure, program, ratio } from "../support/figure.ts";
import { dotnet, massTransit } from "./dotnet.ts";

const rabbitmq = (quantity: string): Measure =>
  program(new URL("../rabbitmq/run.ts", import.meta.url), ["hero-published", quantity]);

/** Ours over theirs. */
export const figures: readonly Figure[] = [
  ratio(
    "vs-masstransit/mediator",
    program(new URL("../mediator/run.ts", import.meta.url), ["send-text"]),
    massTransit("mediator", 1_000_000),
    [dotnet],
  ),
  ratio(
    "vs-masstransit/memory",
    program(new URL("../memory/run.ts", import.meta.url), ["serialized"]),
    massTransit("memory", 100_000),
    [dotnet],
  ),
  ratio(
    "vs-masstransit/saga",
    program(new URL("../saga/run.ts", import.meta.url), ["serialized"]),
    massTransit("saga", 600_000),
    [dotnet],
  ),
  ratio("vs-masstransit/rabbitmq", rabbitmq("rate"), massTransit("rabbitmq", 30_000), [dotnet, broker]),
  ratio("vs-masstransit/rabbitmq-cpu", rabbitmq("cpu"), massTransit("rabbitmq-cpu", 30_000), [dotnet, broker]),
  ratio("vs-masstransit/p99", rabbitmq("p99"), massTransit("rabbitmq-p99", 10_000), [dotnet, broker]),
  ratio(
    "vs-masstransit/rpc",
    program(new URL("../rabbitmq/rpc.ts", import.meta.url), ["hero"]),
    massTransit("rabbitmq-rpc", 10_000),
    [dotnet, broker],
  ),
  ratio(
    "vs-masstransit/start",
    program(new URL("../rabbitmq/start.ts", import.meta.url)),
    massTransit("rabbitmq-start", 1),
    [dotnet, broker],
  ),
];
