/** Says the number. @module */
import { finish } from "../support/program.ts";
import { instantiations } from "./check.ts";

finish(instantiations());
