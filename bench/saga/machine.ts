/** Measures one case of the machine alone: `machine.ts CASE`. @module */
import { runCase } from "../support/program.ts";
import { cases } from "./machine_cases.ts";

await runCase(cases);
