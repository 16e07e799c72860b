/** The file for machines with Docker: that it says what `deno task services` asks of it. Bun alone can read YAML. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { readFile } from "node:fs/promises";
import { test } from "./runner.ts";
import { usualPort as postgresPort } from "./servers/postgres.ts";
import { isStandard, usualPort as rabbitmqPort } from "./servers/rabbitmq.ts";

interface Service {
  readonly image: string;
  readonly ports: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck: Readonly<Record<"test" | "interval" | "timeout" | "retries", unknown>>;
}

const { Bun: bun } = globalThis as { readonly Bun?: { readonly YAML?: { parse(text: string): unknown } } };
const yaml = bun?.YAML;
const port = isStandard ? rabbitmqPort : 5672;

test(
  "compose.yaml has the services that are asked for, each on the port that tests reach, and says when it is ready",
  async () => {
    const read = (file: string) => readFile(new URL(file, import.meta.url), "utf8");
    const file = yaml?.parse(await read("../../compose.yaml")) as {
      readonly services: Readonly<Record<string, Service>>;
    };
    assertEquals(Object.keys(file), ["services"]);
    const asked = [...(await read("./services.ts")).matchAll(/"compose", "up", "--wait", "(\w+)"/g)].map(([, name]) =>
      name
    );
    assertEquals(Object.keys(file.services), asked);
    const ports = { rabbitmq: port, postgres: postgresPort };
    assertEquals(
      Object.fromEntries(Object.entries(file.services).map(([name, service]) => [name, service.ports])),
      Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, [`127.0.0.1:${port}:${port}`]])),
    );
    for (const { image, healthcheck, ...rest } of Object.values(file.services)) {
      assertMatch(image, /^[a-z]+:\d+-alpine$/);
      for (const key of Object.keys(rest)) assert(["ports", "environment"].includes(key), `"${key}" is not known here`);
      assertEquals(Object.keys(healthcheck).toSorted(), ["interval", "retries", "test", "timeout"]);
      const { test: command, interval, timeout, retries } = healthcheck;
      assert(Array.isArray(command) && command[0] === "CMD" && command.every((part) => typeof part === "string"));
      for (const time of [interval, timeout]) assertMatch(String(time), /^\d+s$/);
      assert(Number.isInteger(retries));
    }
  },
  { skip: yaml === undefined ? "this runtime reads no YAML" : undefined },
);
