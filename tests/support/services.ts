/**
 * Starts the servers that tests need, where they do not run yet: `deno task services`. Uses what listens already, else
 * Docker Compose, else Debian's packages as root; else says what will be skipped.
 */
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { canMakeCertificates } from "./certificates.ts";
import { canStartPgbouncer } from "./servers/pgbouncer.ts";
import { canStartPostgres, startPostgresCluster, usualPort as postgresPort } from "./servers/postgres.ts";
import { canStartRabbitmq, isStandard, listens, startRabbitmqNode, usualPort } from "./servers/rabbitmq.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

function runs(program: string, ...args: readonly string[]): boolean {
  const { status } = spawnSync(program, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  return status === 0;
}

/** As root on Debian alone. */
function installs(...packages: readonly string[]): boolean {
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).status !== 0) return false;
  const install = ["install", "-y", "-qq", "--no-install-recommends", ...packages];
  return runs("apt-get", ...install) || (runs("apt-get", "update", "-qq") && runs("apt-get", ...install));
}

/** Tests that kill their server start one of their own, whatever serves at the usual port. */
function privately(canStart: () => boolean, name: string): void {
  if (!canStart()) installs(name);
}

async function rabbitmq(): Promise<string> {
  privately(canMakeCertificates, "openssl");
  if (await listens(usualPort)) {
    privately(canStartRabbitmq, "rabbitmq-server");
    return `listens on ${usualPort} already`;
  }
  const composed = isStandard && spawnSync("docker", ["info"]).status === 0;
  if (composed && runs("docker", "compose", "up", "--wait", "rabbitmq")) {
    privately(canStartRabbitmq, "rabbitmq-server");
    return `started by Docker Compose on ${usualPort}`;
  }
  if (!canStartRabbitmq() && !installs("rabbitmq-server")) {
    return "cannot be had here: its suites are skipped. Start one on 5672, or run this as root on Debian or with Docker";
  }
  const directory = join(tmpdir(), `hero-messaging-rabbitmq${isStandard ? "" : `-${usualPort}`}`);
  await startRabbitmqNode({ port: usualPort, directory });
  return `started on ${usualPort} from Debian's package`;
}

async function postgres(): Promise<string> {
  // One test is about it; it starts its own.
  privately(canStartPgbouncer, "pgbouncer");
  if (await listens(postgresPort)) {
    privately(canStartPostgres, "postgresql");
    return `listens on ${postgresPort} already`;
  }
  if (spawnSync("docker", ["info"]).status === 0 && runs("docker", "compose", "up", "--wait", "postgres")) {
    privately(canStartPostgres, "postgresql");
    return `started by Docker Compose on ${postgresPort}`;
  }
  if (!canStartPostgres()) {
    if (!installs("postgresql")) {
      return "cannot be had here: its suites are skipped. Start one on 5432, or run this as root on Debian or with Docker";
    }
    // The package may have started a cluster, which would want a password.
    if (await listens(postgresPort)) {
      runs("sh", "-c", "pg_lsclusters -h | while read v n _; do pg_ctlcluster $v $n stop; done");
    }
  }
  await startPostgresCluster({ port: postgresPort, directory: join(tmpdir(), "hero-messaging-postgres") });
  return `started on ${postgresPort} from Debian's package`;
}

console.log(`RabbitMQ: ${await rabbitmq()}`);
console.log(`PostgreSQL: ${await postgres()}`);
process.exit(0);
