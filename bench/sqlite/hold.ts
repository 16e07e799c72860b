/** Holds the write lock of a file for long and often: `hold.ts FILE`, until it is ended. @module */
import { DatabaseSync } from "node:sqlite";
import { args } from "../support/program.ts";

const heldMs = 200;
const freeMs = 20;

const database = new DatabaseSync(args[0] ?? "", { timeout: 10_000 });
const sleep = new Int32Array(new SharedArrayBuffer(4));
console.log("begins");
for (;;) {
  database.exec("BEGIN IMMEDIATE");
  Atomics.wait(sleep, 0, 0, heldMs);
  database.exec("COMMIT");
  Atomics.wait(sleep, 0, 0, freeMs);
}
