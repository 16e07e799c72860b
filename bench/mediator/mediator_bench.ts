/** `deno task bench`, or `bun bench/mediator/mediator_bench.ts`. @module */
import { peersMissing } from "../peers/mod.ts";
import { benchCases } from "../support/bench.ts";
import { cases } from "./cases.ts";

const reason = await peersMissing();
await benchCases("mediator", cases, reason === undefined ? {} : { "nestjs-cqrs": reason, "emittery": reason });
