/** How a message of a contract is read: upcast, validated. @module */
import { NoUpcastError, VersionAheadError } from "../errors/receiving.ts";
import { InvalidMessageError } from "../errors/sending.ts";
import { type Awaitable, isPromise } from "../values/awaitable.ts";
import { issuesOf, type Schema, type SchemaResult } from "../values/schema.ts";
import type { Definition } from "./definition.ts";

/** Turns what came into what handlers get. Throws, or rejects, with a typed error. */
export type Reader = (value: unknown) => Awaitable<unknown>;

/**
 * How version `version` of `definition`'s name is read as `definition`. Throws when it reads, not when it is made:
 * `NoUpcastError`, `VersionAheadError`, `InvalidMessageError`. `undefined`: as it is.
 */
export function reader(definition: Definition, version: number): Reader | undefined {
  if (version === definition.version) return validator(definition, "receive");
  if (version > definition.version) return ahead(definition, version);
  const step = definition.upcasts
    .filter(({ from }) => from.version >= version)
    .sort((a, b) => a.from.version - b.from.version)
    .find(({ from }) => from.version === version || canRead(from, version));
  if (step === undefined) {
    return () => {
      throw new NoUpcastError(definition.name, version, definition.version);
    };
  }
  const old = reader(step.from, version);
  const validate = validator(definition, "receive");
  const upcast = (value: unknown): Awaitable<unknown> => {
    const made = step.upcast(value);
    return validate === undefined ? made : validate(made);
  };
  if (old === undefined) return upcast;
  return (value) => {
    const read = old(value);
    return isPromise(read) ? read.then(upcast) : upcast(read);
  };
}

function canRead(definition: Definition, version: number): boolean {
  return definition.upcasts.some(({ from }) => from.version === version || canRead(from, version));
}

function ahead(definition: Definition, version: number): Reader | undefined {
  const { schema } = definition;
  if (schema === undefined) return undefined;
  return (value) =>
    checked(schema, value, (issues) => new VersionAheadError(definition.name, version, definition.version, issues));
}

/**
 * Validates what is sent or received; `undefined` where the contract has no schema.
 *
 * A derived contract without a schema of its own is held to its nearest base's, but keeps its own properties.
 */
export function validator(definition: Definition, doing: "send" | "receive"): Reader | undefined {
  const { schema } = definition;
  const refuse = (issues: readonly string[]) => new InvalidMessageError(definition.name, doing, issues);
  if (schema !== undefined) return (value) => checked(schema, value, refuse);
  let base = definition.base;
  while (base !== undefined && base.schema === undefined) base = base.base;
  const inherited = base?.schema;
  if (inherited === undefined) return undefined;
  return (value) => {
    const result = checked(inherited, value, refuse);
    return isPromise(result) ? result.then(() => value) : value;
  };
}

/**
 * Validates a reply.
 *
 * @throws {InvalidMessageError} if it does not satisfy the schema
 */
export function checkReply(
  definition: Definition,
  schema: Schema,
  reply: unknown,
  doing: "send" | "receive",
): Awaitable<unknown> {
  return checked(schema, reply, (issues) => new InvalidMessageError(`reply:${definition.name}`, doing, issues));
}

/** A reply of several: which it is, and of which contract. */
export interface NamedReply {
  readonly kind: string;
  readonly contract: Definition;
  readonly message: unknown;
}

/**
 * Which of a contract's declared replies a handler's `{ kind, message }` is. Its message is not validated here.
 *
 * @throws {InvalidMessageError} if it is none of them
 */
export function namedReply(
  { name }: Definition,
  replies: Readonly<Record<string, Definition>>,
  reply: unknown,
): NamedReply {
  if (typeof reply === "object" && reply !== null && "kind" in reply && "message" in reply) {
    const { kind, message } = reply;
    const contract = typeof kind === "string" ? replies[kind] : undefined;
    if (typeof kind === "string" && contract !== undefined) return { kind, contract, message };
  }
  throw new InvalidMessageError(`reply:${name}`, "send", [
    `it must be { kind, message } with one of the kinds ${Object.keys(replies).join(", ")}`,
  ]);
}

function checked(
  schema: Schema<unknown, unknown>,
  value: unknown,
  refuse: (issues: readonly string[]) => Error,
): Awaitable<unknown> {
  const result = schema["~standard"].validate(value);
  return isPromise(result) ? result.then((each) => output(each, refuse)) : output(result, refuse);
}

function output(result: SchemaResult<unknown>, refuse: (issues: readonly string[]) => Error): unknown {
  if (result.issues !== undefined) throw refuse(issuesOf(result));
  return result.value;
}
