/**
 * Makes the npm package: `deno task pack` leaves `dist/hero-messaging-<version>.tgz`. `deno pack` compiles `jsr.json`'s
 * package; its `package.json` is then completed by {@linkcode npmManifest}.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtimeCommand } from "../support/runtimes.ts";
import { type NpmManifest, npmManifest } from "./npm_manifest.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs a program to its end. */
function run(directory: string, [program, ...args]: readonly [string, ...string[]]): void {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd: directory, encoding: "utf8" });
  if (status !== 0) {
    throw new Error(`"${program} ${args.join(" ")}" ended with ${status}:\n${stdout}${stderr}`, { cause: error });
  }
}

/**
 * Packs the sources as they lie here.
 *
 * @param directory where the tarball goes
 * @returns its path
 */
export function pack(directory: string): string {
  const work = mkdtempSync(join(tmpdir(), "hero-pack-"));
  try {
    const packed = join(work, "packed.tgz");
    run(root, [...runtimeCommand("deno"), "pack", "-c", "jsr.json", "--allow-dirty", "-o", packed]);
    run(work, ["tar", "-xzf", packed]);
    const path = join(work, "package", "package.json");
    const manifest = npmManifest(JSON.parse(readFileSync(path, "utf8")) as NpmManifest); // just written by deno pack
    writeFileSync(path, `${JSON.stringify(manifest, undefined, 2)}\n`);
    mkdirSync(directory, { recursive: true });
    const name = `${manifest.name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`;
    const tarball = resolve(directory, name);
    run(work, ["tar", "-czf", tarball, "package"]);
    return tarball;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  console.log(pack(process.argv[2] ?? join(root, "dist")));
}
