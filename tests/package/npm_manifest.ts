/** What npm is told about the package beyond what `deno pack` writes. */

/** The part of a `package.json` that matters here; the rest passes through. */
export interface NpmManifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional: boolean }>>;
  readonly [field: string]: unknown;
}

/**
 * Makes every client an optional peer: the core needs none, so who installs it gets one package, and who opens an entry
 * point that needs a client installs that too.
 *
 * @param packed as `deno pack` wrote it: what the sources import stands in `dependencies`
 */
export function npmManifest(packed: NpmManifest): NpmManifest {
  const { dependencies: clients = {}, ...rest } = packed;
  const optional = Object.fromEntries(Object.keys(clients).map((client) => [client, { optional: true }]));
  return {
    ...rest,
    description: "Typed commands, queries and events over a bus: for Deno, Bun and Node",
    keywords: ["messaging", "queue", "jobs", "bus", "events", "saga", "outbox", "rabbitmq", "sqlite", "postgres"],
    engines: { node: ">=22" },
    sideEffects: false,
    ...(Object.keys(clients).length === 0 ? {} : { peerDependencies: clients, peerDependenciesMeta: optional }),
  };
}
