import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { runtime, test } from "../support/runner.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { pack } from "./pack.ts";

/** What someone writes first. */
const program = `import { command, createBus } from "@hero/messaging";

interface Greet {
  name: string;
}
const Greet = command<Greet>("greetings.greet");

const bus = createBus({ name: "greetings" });
const handled = Promise.withResolvers<string>();
bus.endpoint("greetings").handle(Greet, ({ name }) => handled.resolve(name));
await bus.start();
await bus.send(Greet, { name: "Ada" });
console.log("greeted " + await handled.promise);
await bus.stop();
`;

/** Two entry points, of which one must know what the other makes; an error of one is of the other's class. */
const crossing = `import { HeroError } from "@hero/messaging";
import { sqlite } from "@hero/messaging/sqlite";
import { sqliteTransport } from "@hero/messaging/sqlite/transport";
import { HarnessTimeoutError } from "@hero/messaging/testing";

sqliteTransport(sqlite("queues.db"));
if (!HeroError.prototype.isPrototypeOf(HarnessTimeoutError.prototype)) throw new Error("There are two HeroErrors");
console.log("one of each");
`;

/** Ends with 0, or the test fails with what was said. */
function run(directory: string, [command, ...args]: readonly [string, ...string[]]): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: directory,
    encoding: "utf8",
    timeout: 120_000,
    env: { ...process.env, NO_COLOR: "1" },
  });
  if (status !== 0) throw new Error(`"${command} ${args.join(" ")}" ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

const { version, exports } = JSON.parse(readFileSync(new URL("../../jsr.json", import.meta.url), "utf8")) as {
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
}; // our own file
const entryPoints = Object.keys(exports);
const tarball = `./hero-messaging-${version}.tgz`;

let packed: Promise<string> | undefined;
/** Packs at the first call; the tarball goes when the process does. */
function packedOnce(): Promise<string> {
  if (packed === undefined) {
    const directory = mkdtempSync(join(tmpdir(), "hero-packed-"));
    globalThis.addEventListener("unload", () => rmSync(directory, { recursive: true, force: true }));
    packed = pack(directory);
  }
  return packed;
}

/** An empty folder with the program and the package's tarball beside it, gone afterwards. */
async function inEmptyApp(use: (directory: string, packed: string) => void): Promise<void> {
  const packed = await packedOnce();
  const directory = mkdtempSync(join(tmpdir(), "hero-app-"));
  try {
    copyFileSync(packed, join(directory, tarball));
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
    writeFileSync(join(directory, "main.ts"), program);
    writeFileSync(join(directory, "crossing.ts"), crossing);
    use(directory, packed);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
const install = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", tarball] as const;

/** `engines` in the package says 22. */
const oldestNode = ["npx", "-y", "-p", "node@22", "--", "node"] as const;

/** Folders of packages, scopes opened. */
function installed(directory: string): readonly string[] {
  const modules = join(directory, "node_modules");
  return readdirSync(modules).filter((name) => !name.startsWith(".")).flatMap((name) =>
    name.startsWith("@") ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name]
  );
}

const packs = { skip: runtime === "deno" ? undefined : "Deno packs, for all three", timeoutInMs: 300_000 };

test("an empty Node app installs one package, and a command is handled, also on the oldest Node promised", async () => {
  await inEmptyApp((directory) => {
    run(directory, install);

    assertEquals(installed(directory), ["@hero/messaging"]);
    assertStringIncludes(run(directory, [...runtimeCommand("node"), "main.ts"]), "greeted Ada");
    assertStringIncludes(run(directory, [...runtimeCommand("node"), "crossing.ts"]), "one of each");
    assertStringIncludes(run(directory, [...oldestNode, "main.ts"]), "greeted Ada");
  });
}, packs);

/** Every example that a reader may type in, as a file. */
function writeExamples(directory: string): readonly string[] {
  return ["README.md", "docs/concepts.md", "docs/error-handling.md", "docs/testing.md", "docs/transports/memory.md"]
    .flatMap((page) => {
      const text = readFileSync(new URL(`../../${page}`, import.meta.url), "utf8");
      return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, example = ""], index) => {
        const name = `${page.replaceAll("/", "_")}_${index + 1}.ts`;
        writeFileSync(join(directory, name), `${example}export {};\n`);
        return name;
      });
    });
}

test("the declarations pass the oldest TypeScript that is promised, and refuse a wrong message", async () => {
  await inEmptyApp((directory) => {
    run(directory, [...install, "typescript@~5.4", "zod@^4"]);
    const all = (name: string, paths: readonly string[]): void => {
      const imports = paths.map((path, index) => `import * as entry${index} from "@hero/messaging${path.slice(1)}";`);
      const uses = paths.map((_, index) => `entry${index}`).join(", ");
      writeFileSync(join(directory, name), `${imports.join("\n")}\nexport const all = [${uses}];\n`);
    };
    all("without_clients.ts", entryPoints.filter((path) => !path.startsWith("./postgres")));
    all("everything.ts", entryPoints);
    writeFileSync(join(directory, "wrong.ts"), program.replace('{ name: "Ada" }', "{ name: 1 }"));
    const examples = writeExamples(directory);
    const strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"];
    const world = ["--target", "esnext", "--module", "nodenext", "--lib", "esnext,dom,dom.asynciterable"];
    const tsc = ["node", join("node_modules", "typescript", "bin", "tsc"), ...strict] as const;
    const check = [...tsc, ...world] as const;

    assert(examples.length > 20, "The examples were not found");
    run(directory, [...check, "main.ts", "without_clients.ts", ...examples]);
    // The default of `--lib`, whose newest part is what the target has: no types of Node, no disposables.
    run(directory, [...tsc, "--target", "es2022", "--module", "nodenext", "without_clients.ts"]);
    // Whose handlers write with the client's own type needs the client, and that the types of Node.
    run(directory, [...install, "postgres@^3.4.9", "@types/node@^22"]);
    run(directory, [...check, "everything.ts"]);
    const refused = assertThrows(() => run(directory, [...check, "wrong.ts"]), Error);
    assertStringIncludes(refused.message, "Type 'number' is not assignable to type 'string'");
  });
}, packs);

test("an empty Bun app installs one package, and a command is handled", async () => {
  await inEmptyApp((directory) => {
    run(directory, [...runtimeCommand("bun"), "add", tarball]);

    assertEquals(installed(directory), ["@hero/messaging"]);
    assertStringIncludes(run(directory, [...runtimeCommand("bun"), "main.ts"]), "greeted Ada");
    assertStringIncludes(run(directory, [...runtimeCommand("bun"), "crossing.ts"]), "one of each");
  });
}, packs);

test("an empty Deno app has a command handled without any permission, and its types are checked", async () => {
  await inEmptyApp((directory) => {
    // Deno installs from a registry, not from a file: npm lays the folder that it would lay.
    run(directory, install);

    assertEquals(installed(directory), ["@hero/messaging"]);
    const options = ["run", "--check", "--no-prompt", "--node-modules-dir=manual"];
    assertStringIncludes(run(directory, [...runtimeCommand("deno"), ...options, "main.ts"]), "greeted Ada");
    assertStringIncludes(run(directory, [...runtimeCommand("deno"), ...options, "crossing.ts"]), "one of each");
  });
}, packs);

test("the package for JSR passes what JSR checks, and Deno runs it and finds its types", async () => {
  await inEmptyApp((directory, packed) => {
    const folder = join(dirname(packed), "jsr");
    const entries = Object.entries(
      (JSON.parse(readFileSync(join(folder, "jsr.json"), "utf8")) as { readonly exports: Record<string, string> })
        .exports, // as we wrote it
    );
    const imports = Object.fromEntries(
      entries.map(([path, file]) => [`@hero/messaging${path.slice(1)}`, pathToFileURL(join(folder, file)).href]),
    );
    writeFileSync(join(directory, "deno.json"), JSON.stringify({ imports }));
    writeFileSync(join(directory, "wrong.ts"), program.replace('{ name: "Ada" }', "{ name: 1 }"));
    const deno = runtimeCommand("deno");

    assertEquals(entries.map(([path]) => path), entryPoints);
    run(folder, [...deno, "publish", "-c", "jsr.json", "--dry-run", "--allow-dirty"]);
    assertStringIncludes(run(directory, [...deno, "run", "--check", "--no-prompt", "main.ts"]), "greeted Ada");
    const refused = assertThrows(() => run(directory, [...deno, "check", "wrong.ts"]), Error);
    assertStringIncludes(refused.message, "Type 'number' is not assignable to type 'string'");
  });
}, packs);
