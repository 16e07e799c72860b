/** Measures one case on the bus: `run.ts CASE`. @module */
import { runCase } from "../support/program.ts";
import { cases } from "./bus_cases.ts";

await runCase(cases);
