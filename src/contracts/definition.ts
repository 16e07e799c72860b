/** What a contract holds at run time, for the library's own use. @module */
import { ConfigurationError, InvalidNameError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type { Extension } from "../spi/transport.ts";
import { checkName, type Destination, isDestination } from "../values/destination.ts";
import { milliseconds } from "../values/duration.ts";
import type { Schema } from "../values/schema.ts";
import { isSchema, validates } from "../values/schema.ts";
import type { Contract, ContractOptions, Kind, OwnedOptions, Replies } from "./contract.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";

/** Shared by all loaded copies of the package. */
const brand: unique symbol = Symbol.for("@hero/messaging/contract");

/** How a message of an earlier version becomes one of this. */
export interface Upcast {
  readonly from: Definition;
  readonly upcast: (old: unknown) => unknown;
}

/** A contract as the library sees it: its types are gone, its options are checked. */
export interface Definition extends Contract<never, unknown, unknown, Kind> {
  readonly [brand]: 1;
  /** Absent where it would not validate. */
  readonly schema: Schema<unknown, unknown> | undefined;
  readonly key: ((message: unknown) => string) | undefined;
  readonly routingKey: ((message: unknown) => string) | undefined;
  /** Of its topic. */
  readonly extensions: readonly Extension[];
  readonly ttlInMs: number | undefined;
  readonly priority: number;
  readonly base: Definition | undefined;
  readonly to: Destination | undefined;
  readonly reply: Schema<unknown, unknown> | undefined;
  /** Without a prototype: a reply of a kind that nobody declared must not be found there. */
  readonly replies: Readonly<Record<string, Definition>> | undefined;
  readonly upcasts: readonly Upcast[];
  /** The contract whose faults these are. */
  readonly faultOf: Definition | undefined;
  /** Whether it only ever goes to a queue that is named: it has no topic, and is the library's own. */
  readonly local: boolean;
}

/** What is known before the options are read. */
interface Identity {
  readonly kind: Kind;
  readonly name: string;
  readonly faultOf?: Definition;
  readonly local?: boolean;
}

type AnyOptions = ContractOptions<never, unknown> & OwnedOptions<never, unknown, unknown, Replies>;

/** What a contract may name. What only commands and queries may, events refuse for what it is. */
const optionNames: OptionNames<AnyOptions> = {
  version: true,
  schema: true,
  key: true,
  routingKey: true,
  extensions: true,
  ttl: true,
  priority: true,
  extends: true,
  to: true,
  reply: true,
  replies: true,
};

/**
 * Makes a contract of checked options.
 *
 * @throws {InvalidNameError} if the name cannot stand on a wire
 * @throws {ConfigurationError} if an option is not what it should be
 */
export function define(identity: Identity, options: object): Definition {
  const { name } = identity;
  const given: Partial<AnyOptions> = options;
  if (identity.faultOf === undefined && identity.local !== true) checkContractName(name);
  if (isSchema(options)) {
    throw new ConfigurationError(`Cannot use a schema as the options of the contract "${name}". Write { schema }`);
  }
  checkOptionNames(options, optionNames, `the contract "${name}"`);
  const version = given.version ?? 1;
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new ConfigurationError(
      `Cannot give "${name}" the version ${shown(version)}: it must be a whole number from 1`,
    );
  }
  const priority = given.priority ?? 0;
  if (!Number.isInteger(priority) || priority < 0 || priority > 255) {
    throw new ConfigurationError(
      `Cannot give "${name}" the priority ${shown(priority)}: it must be whole, from 0 to 255`,
    );
  }
  if (given.key !== undefined && typeof given.key !== "function") {
    throw new ConfigurationError(`Cannot use the key of "${name}": it must be a function from the message to a text`);
  }
  if (given.extensions !== undefined && !Array.isArray(given.extensions)) {
    throw new ConfigurationError(
      `Cannot use the extensions of "${name}": they are no list. Give one of what the transport makes`,
    );
  }
  if (given.routingKey !== undefined && typeof given.routingKey !== "function") {
    throw new ConfigurationError(`Cannot use the routing key of "${name}": it must be a function to a text`);
  }
  return make(identity, {
    version,
    schema: validating(given.schema, `the schema of "${name}"`),
    // The type parameters end here: what reads a definition hands it messages of its own contract only.
    key: given.key as ((message: unknown) => string) | undefined,
    routingKey: given.routingKey as ((message: unknown) => string) | undefined, // as the key
    extensions: given.extensions ?? [],
    ttlInMs: given.ttl === undefined
      ? undefined
      : positive(name, milliseconds(given.ttl, `{ ttl } of the contract "${name}"`)),
    priority,
    base: given.extends === undefined ? undefined : baseOf(name, given.extends),
    to: given.to === undefined ? undefined : checkOwner(identity, given.to),
    reply: validating(given.reply, `the reply of "${name}"`),
    replies: given.replies === undefined ? undefined : namedReplies(given.replies, name),
    upcasts: [],
  });
}

type Checked = Omit<Definition, typeof brand | keyof Identity>;

function make(identity: Identity, checked: Checked): Definition {
  const definition = {
    ...checked,
    [brand]: 1 as const,
    kind: identity.kind,
    name: identity.name,
    faultOf: identity.faultOf,
    local: identity.local ?? false,
    upcast: (older: Contract, upcast: (old: unknown) => unknown): Definition => {
      const from = definitionOf(older, `the earlier version of "${identity.name}"`);
      if (typeof upcast !== "function") {
        throw new ConfigurationError(
          `Cannot upcast to "${identity.name}" version ${checked.version}: give a function from the old message to the new`,
        );
      }
      if (from.name !== identity.name || from.version >= checked.version) {
        throw new ConfigurationError(
          `Cannot upcast "${from.name}" version ${from.version} to "${identity.name}" version ${checked.version}: ` +
            `it must be an earlier version of the same name`,
        );
      }
      return make(identity, { ...checked, upcasts: [...checked.upcasts, { from, upcast }] });
    },
  };
  return definition;
}

/**
 * The library's view of a contract, also of one from another copy of the package.
 *
 * @param what as in `the contract to send`
 * @throws {ConfigurationError} if `contract` is not one
 */
export function definitionOf(contract: unknown, what: string): Definition {
  if (typeof contract === "object" && contract !== null && brand in contract) return contract as Definition;
  throw new ConfigurationError(
    `Cannot use ${what}: it is not a contract. Make one with command(), event() or query()`,
  );
}

function baseOf(name: string, base: unknown): Definition {
  const definition = definitionOf(base, `the base of "${name}"`);
  withBases(definition);
  return definition;
}

/**
 * A contract and all that it extends, nearest first.
 *
 * @throws {ConfigurationError} if it is its own base: whoever follows its bases would never end
 */
export function withBases(definition: Definition): ReadonlySet<Definition> {
  const seen = new Set<Definition>();
  for (let at: Definition | undefined = definition; at !== undefined; at = at.base) {
    if (seen.has(at)) {
      throw new ConfigurationError(
        `Cannot use "${definition.name}": its bases form a circle through "${at.name}". Let one of them extend nothing`,
      );
    }
    seen.add(at);
  }
  return seen;
}

function checkContractName(name: unknown): void {
  checkName("a contract", name);
  if (String(name).startsWith("fault:") || String(name).startsWith("reply:")) {
    throw new InvalidNameError("a contract", name, `"fault:" and "reply:" are the library's own prefixes`);
  }
}

function checkOwner({ kind, name }: Identity, to: unknown): Destination {
  if (kind === "event") {
    throw new ConfigurationError(
      `Cannot send "${name}" to ${shown(to)}: an event has no owner. Route it to a topic`,
    );
  }
  if (isDestination(to)) return to;
  throw new ConfigurationError(
    `Cannot send "${name}" to ${shown(to)}: that is not an address. Write "queue:orders" or "topic:orders.submit"`,
  );
}

function namedReplies(replies: Replies, name: string): Readonly<Record<string, Definition>> {
  if (typeof replies !== "object" || Array.isArray(replies) || Object.keys(replies ?? {}).length === 0) {
    throw new ConfigurationError(
      `Cannot use the replies of "${name}": they are no object of contracts by kind. ` +
        `Write replies: { found: OrderFound, missing: OrderMissing }`,
    );
  }
  const named: Record<string, Definition> = Object.create(null);
  for (const [kind, reply] of Object.entries(replies)) named[kind] = definitionOf(reply, `the reply "${kind}"`);
  return named;
}

function validating(schema: unknown, what: string): Schema<unknown, unknown> | undefined {
  if (schema === undefined) return undefined;
  if (isSchema(schema)) return validates(schema) ? schema : undefined;
  throw new ConfigurationError(`Cannot use ${what}: it is not a Standard Schema. Give one, as zod's, or type<…>()`);
}

function positive(name: string, ttlInMs: number): number {
  if (ttlInMs > 0) return ttlInMs;
  throw new ConfigurationError(`Cannot give "${name}" a ttl of 0: every message would have expired. Give it more`);
}
