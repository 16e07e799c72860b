import { assert, assertEquals } from "@std/assert";
import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "../support/runner.ts";

const root = new URL("../../", import.meta.url);

test("every relative link in the documents leads to a file", () => {
  const documents = globSync(["*.md", "docs/**/*.md"], { cwd: fileURLToPath(root) });
  assert(documents.length >= 8, `only ${documents.length} documents were found`);
  const broken: string[] = [];
  for (const document of documents) {
    const text = readFileSync(new URL(document, root), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      if (!existsSync(new URL(target, new URL(document, root)))) broken.push(`${document}: ${target}`);
    }
  }
  assertEquals(broken, []);
});
