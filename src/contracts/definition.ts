/** What a contract holds at run time, for the library's own use. @module */
import { ConfigurationError, InvalidNameError } from "../errors/configuration.ts";
import type { Destination } from "../values/destination.ts";
import { checkName } from "../values/destination.ts";
import { milliseconds } from "../values/duration.ts";
import type { Schema } from "../values/schema.ts";
import { validates } from "../values/schema.ts";
import type { Contract, ContractOptions, Kind, OwnedOptions, Replies } from "./contract.ts";

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
  readonly ttlInMs: number | undefined;
  readonly priority: number;
  readonly base: Definition | undefined;
  readonly to: Destination | undefined;
  readonly reply: Schema<unknown, unknown> | undefined;
  readonly replies: Readonly<Record<string, Definition>> | undefined;
  readonly upcasts: readonly Upcast[];
  /** The contract whose faults these are. */
  readonly faultOf: Definition | undefined;
}

/** What is known before the options are read. */
interface Identity {
  readonly kind: Kind;
  readonly name: string;
  readonly faultOf?: Definition;
}

type AnyOptions = ContractOptions<never, unknown> & OwnedOptions<never, unknown, unknown, Replies>;

/**
 * Makes a contract of checked options.
 *
 * @throws {InvalidNameError} if the name cannot stand on a wire
 * @throws {ConfigurationError} if an option is not what it should be
 */
export function define(identity: Identity, options: object): Definition {
  const { name, kind } = identity;
  const given: Partial<AnyOptions> = options;
  if (identity.faultOf === undefined) checkContractName(name);
  const version = given.version ?? 1;
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new ConfigurationError(`Cannot give "${name}" the version ${version}: it must be a whole number from 1`);
  }
  const priority = given.priority ?? 0;
  if (!Number.isInteger(priority) || priority < 0 || priority > 255) {
    throw new ConfigurationError(`Cannot give "${name}" the priority ${priority}: it must be whole, from 0 to 255`);
  }
  if (given.key !== undefined && typeof given.key !== "function") {
    throw new ConfigurationError(`Cannot use the key of "${name}": it must be a function from the message to a text`);
  }
  return make(identity, {
    version,
    schema: validating(given.schema),
    // The type parameters end here: what reads a definition hands it messages of its own contract only.
    key: given.key as ((message: unknown) => string) | undefined,
    ttlInMs: given.ttl === undefined ? undefined : positive(name, milliseconds(given.ttl)),
    priority,
    base: given.extends === undefined ? undefined : definitionOf(given.extends, `the base of "${name}"`),
    to: given.to,
    reply: validating(given.reply),
    replies: given.replies === undefined ? undefined : Object.fromEntries(
      Object.entries(given.replies).map(([kind, reply]) => [kind, definitionOf(reply, `the reply "${kind}"`)]),
    ),
    upcasts: [],
    kind,
  });
}

type Checked = Omit<Definition, typeof brand | "name" | "kind" | "faultOf"> & { readonly kind: Kind };

function make(identity: Identity, checked: Checked): Definition {
  const definition = {
    ...checked,
    [brand]: 1 as const,
    kind: identity.kind,
    name: identity.name,
    faultOf: identity.faultOf,
    upcast: (older: Contract, upcast: (old: unknown) => unknown): Definition => {
      const from = definitionOf(older, `the earlier version of "${identity.name}"`);
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

function checkContractName(name: unknown): void {
  checkName("a contract", name);
  if (String(name).startsWith("fault:") || String(name).startsWith("reply:")) {
    throw new InvalidNameError("a contract", name, `"fault:" and "reply:" are the library's own prefixes`);
  }
}

function validating(schema: unknown): Schema<unknown, unknown> | undefined {
  if (schema === undefined) return undefined;
  const checked = schema as Schema<unknown, unknown>;
  return validates(checked) ? checked : undefined;
}

function positive(name: string, ttlInMs: number): number {
  if (ttlInMs > 0) return ttlInMs;
  throw new ConfigurationError(`Cannot give "${name}" a ttl of 0: every message would have expired. Give it more`);
}
