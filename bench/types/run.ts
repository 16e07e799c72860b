/** Says the number: `run.ts`, or `run.ts sagas`. @module */
import { args, finish } from "../support/program.ts";
import { instantiations } from "./check.ts";

finish(instantiations(args[0] === "sagas"));
