/** The repository as text: its files, and what each imports. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

const notOurs = new Set([".git", "node_modules", "coverage", "dist", "bin", "obj"]);

/** All files below a folder of the repository, as `src/errors/store.ts`, sorted. None where the folder is not. */
export function filesOf(folder: string): readonly string[] {
  const found: string[] = [];
  const visit = (directory: string) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        if (!notOurs.has(entry.name)) visit(path);
      } else if (entry.isFile()) found.push(relative(root, path).replaceAll("\\", "/"));
    }
  };
  try {
    visit(join(root, folder));
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error; // how the file system says it
  }
  return found.sort();
}

/** The text of a file, named as {@linkcode filesOf} does. */
export function textOf(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** What JSR gets: every module of the package. */
export function publishedModules(): readonly string[] {
  return ["mod.ts", ...["src", "transports", "stores", "scheduling"].flatMap(filesOf)].filter((file) =>
    file.endsWith(".ts")
  );
}

/** The text without comments. Formatted code has them on lines of their own or after a space. */
export function codeOf(file: string): string {
  return textOf(file).replaceAll(/^\s*\/\*[\s\S]*?\*\//gm, "").replaceAll(/(^|\s)\/\/.*$/gm, "$1");
}

const statement =
  /^(?:import|export)\s+(?:type\s+)?(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?|\w+(?:\s*,\s*(?:\{[^}]*\}|\*\s+as\s+\w+))?)\s+from\s+"([^"]+)"/gm;
const elsewhere = /(?:^import\s+|\bimport\(\s*)"([^"]+)"/gm;

/**
 * What a module imports, types too, also dynamically and in types (`import("…")`): files as {@linkcode filesOf} names
 * them, all else as written.
 */
export function importsOf(file: string): readonly string[] {
  const code = codeOf(file);
  const specifiers = [...code.matchAll(statement), ...code.matchAll(elsewhere)].map((match) => match[1] ?? "");
  return specifiers.map((specifier) =>
    specifier.startsWith(".") ? posix.join(dirname(file).replaceAll("\\", "/"), specifier) : specifier
  );
}
