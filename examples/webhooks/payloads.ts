/** The input: every webhook payload of `@octokit/webhooks-examples`, from github.com and five editions of its server. */
import { z } from "zod";

/** One payload, as GitHub would send it: `kind` is its header `X-GitHub-Event`. */
export interface Payload {
  readonly kind: string;
  readonly body: unknown;
}

const editions = ["api.github.com", "ghes-31", "ghes-32", "ghes-33", "ghes-34", "ghes-35"];
const file = z.array(z.object({ name: z.string(), examples: z.array(z.unknown()) }));

/** Reads them all. */
export async function readPayloads(): Promise<readonly Payload[]> {
  const payloads: Payload[] = [];
  for (const edition of editions) {
    // The name is put together, so that the type-checker need not make types of nine megabytes of JSON.
    const module = await import(`@octokit/webhooks-examples/${edition}/index.json`, { with: { type: "json" } });
    for (const { name, examples } of file.parse(module.default)) {
      for (const body of examples) payloads.push({ kind: name, body });
    }
  }
  return payloads;
}
