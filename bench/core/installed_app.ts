/** The programs of this folder in an application that has installed the package. @module */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { pack } from "../../tests/package/pack.ts";

let folder: Promise<URL> | undefined;

/** Packs the sources and installs them at the first call; the folder goes when the process does. */
export function installedApp(): Promise<URL> {
  return folder ??= install();
}

async function install(): Promise<URL> {
  const directory = mkdtempSync(join(tmpdir(), "hero-start-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const { status, stderr } = spawnSync("tar", ["-xzf", await pack(directory)], { cwd: directory, encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot unpack the package: ${stderr}`);
  mkdirSync(join(directory, "node_modules", "@hero"), { recursive: true });
  renameSync(join(directory, "package"), join(directory, "node_modules", "@hero", "messaging"));
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
  const start = readFileSync(new URL("./start.ts", import.meta.url), "utf8");
  writeFileSync(join(directory, "start.ts"), start.replace("../../mod.ts", "@hero/messaging"));
  copyFileSync(new URL("./nothing.ts", import.meta.url), join(directory, "nothing.ts"));
  return pathToFileURL(`${directory}/`);
}
