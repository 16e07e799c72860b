/**
 * Makes the packages: `deno task pack` leaves npm's in `dist/hero-messaging-<version>.tgz`, JSR's in `dist/jsr/`.
 * `deno pack` makes the declarations of `jsr.json`'s package, {@linkcode bundle} the code, {@linkcode npmManifest}
 * completes the `package.json`. See docs/adr/0008-what-is-published-is-bundled.md.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtimeCommand } from "../support/runtimes.ts";
import { bundle } from "./bundle.ts";
import { layOutForJsr } from "./jsr_package.ts";
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
 * Names what a file needs of TypeScript's own declarations beyond those of ES2022, the target of many applications. For
 * npm alone: JSR refuses files that do, and Deno has it.
 */
export function withItsLibraries(declarations: string): string {
  return /\bAsyncDisposable\b|\bSymbol\.asyncDispose\b/.test(declarations)
    ? `/// <reference lib="esnext.disposable" />\n${declarations}`
    : declarations;
}

/**
 * Packs the sources as they lie here.
 *
 * @param directory where the tarball goes, and the folder `jsr`
 * @returns the tarball's path
 */
export async function pack(directory: string): Promise<string> {
  const work = mkdtempSync(join(tmpdir(), "hero-pack-"));
  try {
    const packed = join(work, "packed.tgz");
    run(root, [...runtimeCommand("deno"), "pack", "-c", "jsr.json", "--allow-dirty", "-o", packed]);
    run(work, ["tar", "-xzf", packed]);
    const folder = join(work, "package");
    // There is a file for each module: of code only the declarations stay, the rest comes again, bundled.
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      if (/(?<!\.d)\.[jt]s$/.test(name)) rmSync(join(folder, name));
    }
    await bundle(folder);
    const path = join(folder, "package.json");
    const manifest = npmManifest(JSON.parse(readFileSync(path, "utf8")) as NpmManifest); // just written by deno pack
    writeFileSync(path, `${JSON.stringify(manifest, undefined, 2)}\n`);
    mkdirSync(directory, { recursive: true });
    layOutForJsr(folder, join(directory, "jsr"));
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".d.ts")) continue;
      const file = join(folder, name);
      writeFileSync(file, withItsLibraries(readFileSync(file, "utf8")));
    }
    const name = `${manifest.name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`;
    const tarball = resolve(directory, name);
    run(work, ["tar", "-czf", tarball, "package"]);
    return tarball;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  console.log(await pack(process.argv[2] ?? join(root, "dist")));
}
