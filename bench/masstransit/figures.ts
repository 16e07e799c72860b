/** Beside MassTransit, on the same work. @module */
import { type Figure, program, ratio } from "../support/figure.ts";
import { dotnet, massTransit } from "./dotnet.ts";

/** Rates over rates. */
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
];
