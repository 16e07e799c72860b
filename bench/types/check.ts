/**
 * Type-checks the generated application against the library's declarations, as an application that installed the
 * package does, and says how many types `tsc` instantiated.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { application } from "./app.ts";
import { sagas } from "./saga_app.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tsc = fileURLToPath(new URL("../peers/node_modules/typescript/bin/tsc", import.meta.url));

function compile(args: readonly string[]): { readonly failed: boolean; readonly output: string } {
  // Deno's own executable runs `tsc` only through `deno run`.
  const first = "Deno" in globalThis ? ["run", "-A", "--quiet"] : [];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...first, tsc, ...args], { encoding: "utf8" });
  return { failed: status !== 0, output: stdout + stderr };
}

const strict = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  target: "esnext",
  module: "nodenext",
  lib: ["esnext", "esnext.disposable", "dom", "dom.iterable", "dom.asynciterable"],
  types: [],
  allowImportingTsExtensions: true,
  skipLibCheck: true,
};

/** How many types an application of that size makes `tsc` instantiate; `withSagas`: and 20 sagas beside it. */
export function instantiations(withSagas = false): number {
  const folder = mkdtempSync(join(tmpdir(), "types-"));
  try {
    const declarations = join(folder, "library");
    const project = (name: string, content: object) => {
      const path = join(folder, name);
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, JSON.stringify(content));
      return path;
    };
    const library = project("library.json", {
      compilerOptions: { ...strict, declaration: true, emitDeclarationOnly: true, rootDir: root, outDir: declarations },
      files: [join(root, "mod.ts")],
    });
    // Declarations need no inference, so that what `tsc` does not know here (the types of node:) is no matter.
    compile(["-p", library, "--noCheck"]);
    for (const [name, text] of Object.entries({ ...application(), ...(withSagas ? { "sagas.ts": sagas() } : {}) })) {
      mkdirSync(join(folder, "app"), { recursive: true });
      writeFileSync(join(folder, "app", name), text);
    }
    project("app/package.json", { type: "module" });
    const app = project("app/tsconfig.json", {
      compilerOptions: {
        ...strict,
        noEmit: true,
        paths: { "@hero/messaging": [join(declarations, "mod.d.ts")] },
      },
      files: ["endpoints.ts", ...(withSagas ? ["sagas.ts"] : [])],
    });
    const { failed, output } = compile(["-p", app, "--extendedDiagnostics"]);
    const found = /^Instantiations:\s+(\d+)/m.exec(output);
    if (failed || found === null) throw new Error(`The application does not compile:\n${output.slice(0, 4000)}`);
    return Number(found[1]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
