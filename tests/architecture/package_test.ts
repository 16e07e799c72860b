import { assertEquals, assertStringIncludes } from "@std/assert";
import { test } from "../support/runner.ts";
import { codeOf, filesOf, importsOf, publishedModules, textOf } from "./sources.ts";

/** The package, as JSR reads it. */
interface Package {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly publish: { readonly include: readonly string[] };
}
/** The workshop, as Deno reads it. */
interface Workshop {
  readonly tasks: Readonly<Record<string, { readonly command: string }>>;
  readonly imports: Readonly<Record<string, string>>;
}
const published = JSON.parse(textOf("jsr.json")) as Package; // both are ours
const workshop = JSON.parse(textOf("deno.json")) as Workshop;

test("what both deno.json and jsr.json import is the same", () => {
  const shared = Object.fromEntries(Object.keys(published.imports).map((name) => [name, workshop.imports[name]]));

  assertEquals(shared, published.imports);
});

test("every package that published sources import stands in jsr.json", () => {
  const bare = publishedModules().flatMap(importsOf).filter((to) => !to.endsWith(".ts") && !to.startsWith("node:"));
  const lost = bare.filter((to) =>
    !Object.keys(published.imports).some((name) => to === name || to.startsWith(`${name}/`))
  );

  assertEquals(lost, []);
});

test("every entry point has a name in the workshop, and the gate reads its docs", () => {
  for (const [path, file] of Object.entries(published.exports)) {
    assertEquals(workshop.imports[published.name + path.slice(1)], file);
    assertStringIncludes(workshop.tasks["check"]?.command ?? "", ` ${file.slice(2)} `);
  }
});

test("the plug-in entry point names all that stands in its folder", () => {
  const named = new Set(textOf("src/spi/mod.ts").match(/\b\w+\b/g));
  const lost = filesOf("src/spi").filter((file) => file !== "src/spi/mod.ts").flatMap((file) =>
    [...codeOf(file).matchAll(/^export (?:interface|type|function|class|const) (\w+)/gm)]
      .map(([, name = ""]) => name)
      .filter((name) => !named.has(name))
      .map((name) => `${name} of ${file}`)
  );

  assertEquals(lost, []);
});

test("every published module lies where jsr.json includes it", () => {
  const lost = publishedModules().filter((file) => !published.publish.include.includes(file.split("/")[0] ?? ""));

  assertEquals(lost, []);
});

test("no file names the host of a registry", () => {
  // In halves, as this is a file too.
  const hosts = [["registry.", "npmjs"], ["npm.", "jsr.io"], ["api.", "nuget"], ["deb.", "debian"], [
    "registry.",
    "yarnpkg",
  ]]
    .map((halves) => halves.join(""));
  const offences = filesOf(".").flatMap((file) => {
    const text = textOf(file);
    return hosts.filter((host) => text.includes(host)).map((host) => `${file}: ${host}`);
  });

  assertEquals(offences, []);
});

test("the changelog names the version", () => {
  const changelog = textOf("CHANGELOG.md");
  const named = changelog.includes(`## ${published.version}`) || changelog.includes("## Unreleased");

  assertEquals(named, true);
});
