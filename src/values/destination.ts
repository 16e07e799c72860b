/** Where messages go. @module */
import { InvalidNameError } from "../errors/configuration.ts";

/** Where commands and queries go, and a topic of events. */
export type Destination = `queue:${string}` | `topic:${string}`;

const longest = 200;
const pattern = /^[A-Za-z0-9_][A-Za-z0-9._:+-]*$/;

/** The name in `queue:<name>`; `undefined` where the address is something else. */
export function queueName(address: string): string | undefined {
  return address.startsWith("queue:") ? address.slice(6) : undefined;
}

/** The name in `topic:<name>`; `undefined` where the address is something else. */
export function topicName(address: string): string | undefined {
  return address.startsWith("topic:") ? address.slice(6) : undefined;
}

/** Whether a value is `queue:<name>` or `topic:<name>`, with a name that {@linkcode checkName} allows. */
export function isDestination(value: unknown): value is Destination {
  if (typeof value !== "string") return false;
  const name = queueName(value) ?? topicName(value);
  return name !== undefined && problem(name) === undefined;
}

/**
 * Gives a name back that can be that of a contract, endpoint, queue, topic or bus: 1 to 200 ASCII letters, digits and
 * `. _ - : +`, of which the first is a letter, digit or `_`. That much every broker takes, some after their transport
 * has escaped `:` and `+` (Kafka: 249 of `[a-zA-Z0-9._-]`; Azure Service Bus: 260; RabbitMQ: 255 bytes), with room for
 * suffixes such as `_error`; and it holds none of the separators of the header `hero-type`.
 *
 * @param what it names, as in `a contract`, for the error
 * @param name from outside, so of any type
 * @throws {InvalidNameError} if it cannot be a name; its message has the rule
 */
export function checkName(what: string, name: unknown): string {
  const why = problem(name);
  if (why !== undefined) {
    throw new InvalidNameError(
      what,
      name,
      `${why}. A name has 1 to ${longest} letters (A to Z), digits and any of . _ - : +, and begins with a letter, digit or _`,
    );
  }
  return name as string;
}

function problem(name: unknown): string | undefined {
  if (typeof name !== "string") return "it is not a text";
  if (name === "") return "it is empty";
  if (name.length > longest) return `it has ${name.length} characters`;
  if (pattern.test(name)) return undefined;
  const [first] = /^[.:+-]/.exec(name) ?? [];
  if (first !== undefined) return `it begins with "${first}"`;
  const [bad = ""] = /[^A-Za-z0-9._:+-]/u.exec(name) ?? [];
  return `it contains ${JSON.stringify(bad)}`;
}
