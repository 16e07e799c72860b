/** `deno task bench`, or `bun bench/saga/machine_bench.ts`. @module */
import { peersMissing } from "../peers/mod.ts";
import { benchCases } from "../support/bench.ts";
import { cases } from "./machine_cases.ts";

const reason = await peersMissing();
await benchCases("saga machine", cases, reason === undefined ? {} : { "xstate": reason });
