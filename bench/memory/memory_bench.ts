/** `deno task bench`, or `bun bench/memory/memory_bench.ts`. @module */
import { benchCases } from "../support/bench.ts";
import { cases } from "./cases.ts";

const own = "a thousand are no backlog: see bench:report";
await benchCases("memory", cases, { "backlog-1": own, "backlog-1000000": own });
