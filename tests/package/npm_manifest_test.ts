import { assertEquals } from "@std/assert";
import { test } from "../support/runner.ts";
import { npmManifest } from "./npm_manifest.ts";

test("a client becomes an optional peer, so that installing the package brings one package", () => {
  const manifest = npmManifest({ name: "@hero/messaging", version: "1.2.3", dependencies: { amqplib: "^2.3.1" } });

  assertEquals(manifest.dependencies, undefined);
  assertEquals(manifest.peerDependencies, { amqplib: "^2.3.1" });
  assertEquals(manifest.peerDependenciesMeta, { amqplib: { optional: true } });
});

test("a package without clients has no peers, and keeps what was packed", () => {
  const exports = { ".": "./mod.js" };
  const manifest = npmManifest({ name: "@hero/messaging", version: "1.2.3", exports });

  assertEquals(manifest.peerDependencies, undefined);
  assertEquals(manifest["exports"], exports);
  assertEquals(manifest["engines"], { node: ">=22" });
});
