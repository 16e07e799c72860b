import { assert, assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { runtime, test } from "../support/runner.ts";
import { codeOf, publishedModules, root } from "./sources.ts";

/** What `deno info --json` says of one module. */
interface Module {
  readonly specifier: string;
  readonly kind?: string;
  readonly error?: string;
}

/** All modules that come with one, by specifier. */
function graphOf(file: string): readonly Module[] {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["info", "--json", file], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`"deno info --json ${file}" ended with ${status}: ${stderr}`);
  return (JSON.parse(stdout) as { modules: readonly Module[] }).modules; // Deno's own format
}

const asked = { skip: runtime === "deno" ? undefined : "only Deno lists a module graph" };
const here = pathToFileURL(root).href;
/** AsyncLocalStorage has no web standard. */
const allowed = new Set(["node:async_hooks"]);

for (const entry of ["mod.ts", "src/testing/mod.ts", "src/spi/mod.ts"]) {
  test(`${entry} brings no package and nothing of a runtime`, () => {
    const modules = graphOf(entry);
    const foreign = modules.filter(({ specifier }) => !specifier.startsWith(here) && !allowed.has(specifier));

    assert(modules.length > 1, `The graph of ${entry} has ${modules.length} modules`);
    assertEquals(foreign, []);
  }, asked);
}

/** `Deno.…`, `process[…]`, `require(…)`; not a method or a property of that name. */
const ofOneRuntime = /(?<![.\w"'])(?:(?:Deno|Bun|process|Buffer)\s*(?:\.|\[|\?\.)|require\().*/g;

test("published sources call nothing that one runtime alone has", () => {
  const offences = publishedModules().flatMap((file) =>
    [...codeOf(file).matchAll(ofOneRuntime)]
      .map(([text]) => `${file}: ${text}`)
  );

  assertEquals(offences, []);
});

test("only src/runtime/ looks at what the global object has", () => {
  const offences = publishedModules().filter((file) =>
    !file.startsWith("src/runtime/") && /\bglobalThis\b/.test(codeOf(file))
  );

  assertEquals(offences, []);
});

test("every published module loads by itself", async () => {
  const modules = publishedModules().filter((file) =>
    /^(?:src\/(?!telemetry)|(?:transports|stores)\/memory\/)/.test(file)
  );
  for (const file of modules) await import(pathToFileURL(`${root}${file}`).href);

  assert(modules.length > 20, `Only ${modules.length} modules were found`);
});
