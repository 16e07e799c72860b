/**
 * Lets Bun and Node resolve the names that `deno.json` gives to files here: load it before the tests (`bun --preload`,
 * `node --import`). Packages of npm are in `node_modules`, where all three find them.
 */
import { readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);

interface Workshop {
  readonly imports: Readonly<Record<string, string>>;
  readonly links: readonly string[];
}
interface Linked {
  readonly name: string;
  readonly exports: string;
}
function json<T>(url: URL): T {
  return JSON.parse(readFileSync(url, "utf8")) as T; // our own files: their shape is known
}

const workshop = json<Workshop>(new URL("deno.json", root));
const targets = new Map<string, URL>();
for (const [name, target] of Object.entries(workshop.imports)) {
  if (target.startsWith("./")) targets.set(name, new URL(target, root));
}
for (const link of workshop.links) {
  const folder = new URL(`${link}/`, root);
  const linked = json<Linked>(new URL("deno.json", folder));
  targets.set(linked.name, new URL(linked.exports, folder));
}

/** The part of Bun's plug-in interface that is used here. */
interface Bun {
  plugin(plugin: {
    readonly name: string;
    setup(build: {
      module(specifier: string, load: () => Promise<{ readonly exports: unknown; readonly loader: "object" }>): void;
    }): void;
  }): void;
}

const { Bun: bun } = globalThis as { readonly Bun?: Bun };
if (bun !== undefined) {
  bun.plugin({
    name: "names of deno.json",
    setup: (build) => {
      // Not `onResolve`: Bun 1.4 does not ask it for bare names. The module behind is the one that its path gives.
      for (const [name, target] of targets) {
        build.module(name, async () => ({ exports: await import(target.href), loader: "object" }));
      }
    },
  });
} else {
  const { registerHooks } = await import("node:module");
  registerHooks({
    resolve: (specifier, context, next) => {
      const target = targets.get(specifier);
      return target === undefined ? next(specifier, context) : { url: target.href, shortCircuit: true };
    },
  });
}
