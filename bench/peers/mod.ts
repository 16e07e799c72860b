/** The packages that the benches compare with: here, and nowhere else. @module */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const folder: string = fileURLToPath(new URL("./", import.meta.url));

/**
 * Loads a package of this folder's `package.json`.
 *
 * @template T what of it is used: its own types are not there before it is installed
 */
export async function peer<T>(name: string): Promise<T> {
  return await import(name) as T;
}

function installed(): boolean {
  return [
    ...["@nestjs/cqrs", "@nestjs/microservices", "amqplib", "bullmq", "graphile-worker", "ioredis", "pg-boss"],
    ...["typescript", "xstate"],
  ].every((name) => existsSync(`${folder}node_modules/${name}`));
}

/** Why {@linkcode peer} would fail; `undefined`: it would not. */
export async function peersMissing(): Promise<string | undefined> {
  if (!installed()) return "run `npm install` in bench/peers";
  try {
    await peer("reflect-metadata");
    return undefined;
  } catch {
    return "run it with --node-modules-dir=manual, as `deno task bench` does";
  }
}

/** Installs the peers if they are not there; gives the reason why it cannot. */
export function peers(): Promise<string | undefined> {
  if (installed()) return Promise.resolve(undefined);
  console.error("installing the peers into bench/peers");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { status, stderr } = spawnSync(npm, ["install", "--no-audit", "--no-fund", "--ignore-scripts"], {
    cwd: folder,
    encoding: "utf8",
  });
  const reason = status === 0 ? undefined : `npm could not install bench/peers: ${stderr?.trim().split("\n").at(-1)}`;
  return Promise.resolve(reason);
}
