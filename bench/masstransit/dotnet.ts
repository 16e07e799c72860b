/** The C# side: built once, each run a fresh process. @module */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Measure } from "../support/figure.ts";
import { execute, lastLine } from "../support/runtimes.ts";

const folder: string = fileURLToPath(new URL("./", import.meta.url));
const built = `${folder}bin/Release/net10.0/bench.dll`;

let reason: Promise<string | undefined> | undefined;

/** Builds the program; gives the reason why it cannot. */
export function dotnet(): Promise<string | undefined> {
  reason ??= Promise.resolve(build());
  return reason;
}

function build(): string | undefined {
  const sdks = spawnSync("dotnet", ["--list-sdks"], { encoding: "utf8" });
  if (sdks.status !== 0) return "there is no dotnet";
  if (!/^1\d\./m.test(sdks.stdout)) return "there is no SDK of .NET 10";
  console.error("building bench/masstransit");
  const { status, stdout } = spawnSync("dotnet", ["build", "-c", "Release", "--nologo", "-v", "q"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status === 0 && existsSync(built)) return undefined;
  return `dotnet could not build bench/masstransit: ${stdout.split("\n").find((line) => /error/.test(line)) ?? stdout}`;
}

/** What `Program.cs` measures, and says there in which unit. */
export type Scenario =
  | "mediator"
  | "memory"
  | "rabbitmq"
  | "rabbitmq-cpu"
  | "rabbitmq-p99"
  | "rabbitmq-rpc"
  | "rabbitmq-start"
  | "saga";

/** The value that a scenario says. */
export function massTransit(scenario: Scenario, count: number): Measure {
  return async ({ scale }) => {
    const n = Math.max(1, Math.round(count * scale));
    const { stdout } = await execute(["dotnet", built, scenario, String(n)]);
    const { value } = lastLine(stdout) as { readonly value: number }; // as Program.cs writes it
    return value;
  };
}
