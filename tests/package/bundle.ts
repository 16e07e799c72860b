/** The sources as the package holds them: a file for each entry point, and chunks that they share. */
import { build, type Metafile, type Plugin, stop } from "esbuild";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The parts of `jsr.json` that say what is published. */
export interface Package {
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** The package, as `jsr.json` describes it. */
export const published: Package = JSON.parse(readFileSync(join(root, "jsr.json"), "utf8")) as Package; // our own file

const core = "./mod.ts";
const withCore = "with-core:";

/**
 * The other entry points load the core, too. There is a chunk for each set of entry points that a module is reached
 * from: without this the core would be ten files, of which each costs at every start. Whoever uses one of the others
 * uses the core.
 */
const oneChunkForTheCore: Plugin = {
  name: "one chunk for the core",
  setup(of) {
    of.onResolve({ filter: /^with-core:/ }, ({ path }) => ({
      path: path.slice(withCore.length),
      namespace: "with-core",
      sideEffects: true,
    }));
    of.onLoad({ filter: /./, namespace: "with-core" }, ({ path }) => ({
      contents: `import "${core}";export*from"${path}";`,
      resolveDir: root,
    }));
  },
};

/**
 * Bundles the entry points. Where a module is reached from several, it stands in a chunk that these share: nothing is
 * there twice. Clients stay outside, and are loaded when they are asked for, as the sources do.
 *
 * @param directory where the files go: `mod.ts` becomes `mod.js` with `mod.js.map`, chunks go into `chunks/`
 * @returns what esbuild knows of it, with paths from the root of the repository
 */
export async function bundle(directory: string): Promise<Metafile> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: Object.values(published.exports).map((source) => ({
      in: source === core ? source : withCore + source,
      out: source.replace(/^\.\/|\.ts$/g, ""),
    })),
    plugins: [oneChunkForTheCore],
    external: [...Object.keys(published.imports), ...builtinModules.map((name) => `node:${name}`)],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "neutral",
    // As the sources are: what the oldest promised Node cannot parse is in neither.
    target: "esnext",
    // What a runtime reads of a file it pays for at each start, by the byte: no comments, no indentation, and no letter
    // beyond ASCII, for which V8 would keep all of the text in two bytes each. Names stay, and lines that can be read.
    charset: "ascii",
    minifyWhitespace: true,
    lineLimit: 120,
    legalComments: "none",
    // As Bun's own bundler says it: nothing is left to transpile. Bun then reads each file once, not twice.
    banner: { js: "// @bun" },
    tsconfigRaw: {},
    // Beside the sources, so that the maps name them as they lie in the repository and nothing of this machine.
    outdir: root,
    chunkNames: "chunks/[hash]",
    sourcemap: "linked",
    metafile: true,
    write: false,
    logLevel: "silent", // what is amiss is thrown
  });
  for (const { path, contents } of outputFiles) {
    const target = join(directory, relative(root, path));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, contents);
  }
  await stop(); // its process would outlive ours
  return metafile;
}
