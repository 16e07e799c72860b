/** Says which lines of `src/` the tests ran: reads `coverage/profile/lcov.info`, and fails below the bound. */
import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import process from "node:process";

const leastPercent = 90;

/** The lines of one file. */
interface Covered {
  readonly file: string;
  readonly lines: number;
  readonly run: number;
}

function percent(run: number, lines: number): number {
  return lines === 0 ? 100 : 100 * run / lines;
}

const profile = "coverage/profile/lcov.info";
// Deno writes it where all tests have passed.
if (!existsSync(profile)) {
  console.log(`The coverage was not measured: there is no ${profile}, as a test has failed or none has run`);
  process.exit(1);
}
const files: Covered[] = [];
for (const record of readFileSync(profile, "utf8").split("end_of_record")) {
  const path = /^SF:(.+)$/m.exec(record)?.[1];
  if (path === undefined) continue;
  const file = relative(process.cwd(), path).replaceAll("\\", "/");
  if (!file.startsWith("src/")) continue;
  const lines = [...record.matchAll(/^DA:\d+,(\d+)/gm)];
  files.push({ file, lines: lines.length, run: lines.filter(([, times]) => times !== "0").length });
}
if (files.length === 0) throw new Error(`Cannot tell the coverage: ${profile} names no file of src/`);

for (const { file, lines, run } of files.sort((a, b) => percent(a.run, a.lines) - percent(b.run, b.lines))) {
  console.log(`${percent(run, lines).toFixed(1).padStart(6)} %  ${`${run}/${lines}`.padStart(9)}  ${file}`);
}
const lines = files.reduce((sum, file) => sum + file.lines, 0);
const run = files.reduce((sum, file) => sum + file.run, 0);
const total = percent(run, lines);
console.log(`\n${total.toFixed(1)} % of the ${lines} lines of src/ were run; wanted are ${leastPercent} %`);
process.exit(total < leastPercent ? 1 : 0);
