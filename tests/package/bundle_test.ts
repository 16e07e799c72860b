import { assert, assertEquals, assertExists, assertStringIncludes, assertThrows } from "@std/assert";
import type { Metafile } from "esbuild";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { codeOf, publishedModules, root, textOf } from "../architecture/sources.ts";
import { test } from "../support/runner.ts";
import { bundle, published } from "./bundle.ts";
import { shifted, withDeclaredSpecifiers, withSelfTypes } from "./jsr_package.ts";
import { withItsLibraries } from "./pack.ts";

type Exports = Readonly<Record<string, unknown>>;
const sources = Object.values(published.exports);
const load = async (path: string): Promise<Exports> => await import(pathToFileURL(path).href) as Exports;

/** All that the tests ask of a bundle, so that its files can be gone. */
interface Bundled {
  /** What esbuild knows of it. */
  readonly made: Metafile;
  /** The text of each file. */
  readonly files: ReadonlyMap<string, string>;
  /** What each entry point exports, by its source. */
  readonly entries: ReadonlyMap<string, Exports>;
}
async function bundled(): Promise<Bundled> {
  const directory = mkdtempSync(join(tmpdir(), "hero-bundle-"));
  try {
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
    const made = await bundle(directory);
    const files = new Map(Object.keys(made.outputs).map((path) => [path, readFileSync(join(directory, path), "utf8")]));
    const entries = new Map<string, Exports>();
    for (const source of sources) entries.set(source, await load(join(directory, source.replace(/\.ts$/, ".js"))));
    return { made, files, entries };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
let bundling: Promise<Bundled> | undefined;
/** Bundles at the first call. */
const bundledOnce = (): Promise<Bundled> => bundling ??= bundled();

/** By identity: our errors know one another by name, too. */
const descends = (type: unknown, base: unknown): boolean =>
  type === base || typeof type === "function" && descends(Object.getPrototypeOf(type), base);
const call = (exports: Exports | undefined, name: string, ...args: readonly unknown[]): unknown =>
  (exports?.[name] as (...args: readonly unknown[]) => unknown)(...args);
/** Errors tell and compare the names of their classes; a function may be called otherwise where two have one name. */
const namesOf = (exports: Exports): readonly (readonly [string, string])[] =>
  Object.entries(exports).map(([key, value]) => [key, isClass(value) ? value.name : typeof value] as const)
    .toSorted(([a], [b]) => a < b ? -1 : 1);
const isClass = (value: unknown): value is { readonly name: string } =>
  typeof value === "function" && /^class\b/.test(String(value));

test("a bundled entry point exports what its source exports, classes by the same names", async () => {
  const { entries } = await bundledOnce();
  for (const [source, exports] of entries) {
    assertEquals(namesOf(exports), namesOf(await load(join(root, source))), source);
  }
});

test("no class stands in two files, and every error has its own name", async () => {
  const { made, files } = await bundledOnce();
  const wanted = publishedModules().flatMap((file) =>
    [...codeOf(file).matchAll(/^(?:export )?(?:abstract )?class (\w+)\b.*?extends \w*Error\b/gm)].map(([, name]) =>
      name
    )
  );
  const homes = new Map<string, string>();
  const errors: (string | undefined)[] = [];
  for (const [path, code] of files) {
    if (!path.endsWith(".js")) continue;
    for (const input of Object.keys(made.outputs[path]?.inputs ?? {})) {
      assertEquals(homes.get(input), undefined, `${input} is in ${path}, too`);
      homes.set(input, path);
    }
    for (const [, name, inner] of code.matchAll(/\bvar (\w+)=class(?:\s+(\w+))?\s+extends\s+\w*Error\b/g)) {
      errors.push(inner ?? name); // `inner` is what it is called where it speaks of itself
    }
  }
  const reached = new Set(errors);
  assert(errors.length > 40, `Only ${errors.length} error classes were found`);
  assertEquals(errors.length, reached.size, "There are two of one name");
  assertEquals([...reached].filter((name) => !wanted.includes(name)), []);
});

test("what one entry point throws or makes is known to another by its class", async () => {
  const { entries } = await bundledOnce();
  const core = entries.get("./mod.ts");
  for (const [source, exports] of entries) {
    for (const [name, value] of Object.entries(exports)) {
      if (name.endsWith("Error")) assert(descends(value, core?.["HeroError"]), `${source} has a ${name} of its own`);
    }
  }
  const [make, share, connect, store] = ["stores/sqlite", "transports/sqlite", "transports/rabbitmq", "stores/postgres"]
    .map((folder) => entries.get(`./${folder}/mod.ts`));
  const refusals: readonly (() => unknown)[] = [
    () => call(make, "sqlite", { path: "a.db", synchronous: "never" }),
    () => call(share, "sqliteTransport", "a.db", { lease: 1 }),
    () => call(connect, "rabbitmq", { url: [] }),
    () => call(store, "postgres", { url: "postgres://localhost/a", max: 0 }),
  ];
  for (const refusal of refusals) {
    const error = assertThrows(refusal);
    assert(descends(error?.constructor, core?.["ConfigurationError"]), `${error} is no ConfigurationError of the core`);
  }
  // It asks for the class of the store's own entry point.
  assertExists(call(share, "sqliteTransport", call(make, "sqlite", "a.db")));
});

test("the core is an entry point and one chunk, whatever else shares its modules", async () => {
  const { made } = await bundledOnce();
  const needed = (path: string): readonly string[] =>
    (made.outputs[path]?.imports ?? []).filter(({ kind, external }) => kind === "import-statement" && external !== true)
      .map((each) => each.path);
  const [chunk, ...others] = needed("mod.js");

  assertEquals([others, needed(chunk ?? "")], [[], []]);
});

test("a client is loaded when it is asked for, and stands in no file of the bundle", async () => {
  const { made } = await bundledOnce();
  const outside = Object.values(made.outputs).flatMap(({ imports }) => imports).filter(({ external }) => external);
  const clients = outside.filter(({ path }) => !path.startsWith("node:"));

  assertEquals(new Set(clients.map(({ path }) => path)), new Set(Object.keys(published.imports)));
  assertEquals(clients.filter(({ kind }) => kind !== "dynamic-import"), []);
  assertEquals(Object.keys(made.inputs).filter((path) => path.includes("node_modules")), []);
});

test("a file of the bundle is ASCII, in lines that can be read, and has names but no comments", async () => {
  const code = [...(await bundledOnce()).files].filter(([path]) => path.endsWith(".js"));
  for (const [path, text] of code) {
    // deno-lint-ignore no-control-regex -- all of ASCII
    assert(/^[\x00-\x7f]*$/.test(text), `${path} would be kept in two bytes a letter`);
    assert(Math.max(...text.split("\n").map((line) => line.length)) < 1000, `${path} has a line beyond reading`);
    assert(!/\/\*\*\s|deno-lint-ignore/.test(text), `${path} has comments`);
    assert(text.startsWith("// @bun\n"), `Bun would transpile ${path}`);
  }
  const all = code.map(([, text]) => text).join("");
  for (const name of ["createBus", "planEndpoint", "SendPipeline"]) assertStringIncludes(all, name);
});

test("source maps name the sources as they lie in the repository, and hold them", async () => {
  const maps = [...(await bundledOnce()).files].filter(([path]) => path.endsWith(".map"));
  assert(maps.length > sources.length, `Only ${maps.length} maps were found`);
  for (const [path, text] of maps) {
    const map = JSON.parse(text) as {
      readonly sources: readonly string[];
      readonly sourcesContent: readonly string[];
    }; // as esbuild wrote it
    for (const [index, source] of map.sources.entries()) {
      const file = posix.join(posix.dirname(path), source);
      assertEquals(map.sourcesContent[index], textOf(file), `${path} names ${source}`);
    }
  }
});

test("declarations for JSR name declarations, and what is no file is left alone", () => {
  const declarations =
    `export { a } from "./src/a.js";\nimport type { b } from "../b.js";\n * import "x.js" from "c.js";\n`;
  const expected =
    `export { a } from "./src/a.d.ts";\nimport type { b } from "../b.d.ts";\n * import "x.js" from "c.js";\n`;

  assertEquals(withDeclaredSpecifiers(declarations), expected);
});

test("declarations for npm bring along what the library of ES2022 does not declare, and only where they use it", () => {
  const disposable = "export interface Bus extends AsyncDisposable {}\n";

  assertEquals(withItsLibraries(disposable), `/// <reference lib="esnext.disposable" />\n${disposable}`);
  assertEquals(withItsLibraries("export interface Bus {}\n"), "export interface Bus {}\n");
});

test("an entry point for JSR begins with where its types are, and its map follows by a line", () => {
  assertEquals(withSelfTypes("export {};\n", "mod.d.ts"), `/* @ts-self-types="./mod.d.ts" */\nexport {};\n`);
  assertEquals(shifted(`{"version":3,"mappings":"AAAA;C"}`), `{"version":3,"mappings":";AAAA;C"}`);
});
