/** Measures one case: `run.ts CASE`. @module */
import { runCase } from "../support/program.ts";
import { cases } from "./cases.ts";

await runCase(cases);
