/** The package as JSR takes it: the files of npm's, with declarations that Deno finds. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Package, published } from "./bundle.ts";

/** Without TypeScript's guess from `.js` to `.d.ts`: Deno takes a specifier at its word. */
export function withDeclaredSpecifiers(declarations: string): string {
  return declarations.replaceAll(/(?<=\bfrom\s+"\.{1,2}\/[^"]*)\.js(?=")/g, ".d.ts");
}

/** Names the declarations of an entry point in its first line, where Deno and JSR look for them. */
export function withSelfTypes(code: string, declarations: string): string {
  return `/* @ts-self-types="./${declarations}" */\n${code}`;
}

/** One line further down. */
export function shifted(map: string): string {
  const { mappings, ...rest } = JSON.parse(map) as { readonly mappings: string }; // as esbuild wrote it
  return JSON.stringify({ ...rest, mappings: `;${mappings}` });
}

/**
 * Lays out what `deno publish` takes.
 *
 * @param npm the folder of the finished npm package
 * @param directory where it goes; what was there is gone
 */
export function layOutForJsr(npm: string, directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  cpSync(npm, directory, { recursive: true });
  rmSync(join(directory, "package.json"));
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    if (name.endsWith(".d.ts")) rewrite(join(directory, name), withDeclaredSpecifiers);
  }
  const exports: Record<string, string> = {};
  for (const [path, source] of Object.entries(published.exports)) {
    const entry = source.replace(/\.ts$/, ".js");
    const types = basename(entry).replace(/\.js$/, ".d.ts");
    rewrite(join(directory, entry), (code) => withSelfTypes(code, types));
    rewrite(join(directory, `${entry}.map`), shifted);
    exports[path] = entry;
  }
  // All that lies there is published: what is not, is not there.
  const { publish: _, ...rest } = published;
  const manifest: Package = { ...rest, exports };
  writeFileSync(join(directory, "jsr.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

function rewrite(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, "utf8")));
}
