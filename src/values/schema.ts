/** Schemas of messages. @module */

/**
 * The part of Standard Schema v1 that we read; zod, valibot and arktype schemas fit it.
 * See https://standardschema.dev.
 */
export interface Schema<In = unknown, Out = In> {
  /** See standardschema.dev. */
  readonly "~standard": {
    readonly version: 1;
    /** Who made it. */
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Out> | Promise<SchemaResult<Out>>;
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** One thing that a schema has against a value. */
export interface SchemaIssue {
  /** What is wrong. */
  readonly message: string;
  /** Where: the keys from the outside in. */
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** What a schema says about a value. */
export type SchemaResult<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<SchemaIssue> };

/** Its vendor tells a `type()` schema also if it comes from another copy of the package. */
const vendor = "@hero/messaging/type";

/**
 * A type without a validator. The runtime skips it.
 *
 * @example
 * ```ts
 * import { type } from "./schema.ts";
 *
 * const schema = type<{ readonly orderId: string }>();
 * ```
 */
export function type<T>(): Schema<T, T> {
  // What is not looked at is believed: that is what the caller asked for.
  return { "~standard": { version: 1, vendor, validate: (value) => ({ value: value as T }) } };
}

/** Whether a schema looks at values at all: not if left out or made by {@linkcode type}. */
export function validates<In, Out>(schema: Schema<In, Out> | undefined): schema is Schema<In, Out> {
  return schema !== undefined && schema["~standard"].vendor !== vendor;
}

/** What a schema said, one text an issue: `lines.2.price: must be positive`. Empty if the value is valid. */
export function issuesOf(result: SchemaResult<unknown>): readonly string[] {
  return result.issues?.map(({ message, path }) => {
    const where = path?.map((at) => String(typeof at === "object" ? at.key : at)).join(".") ?? "";
    return where === "" ? message : `${where}: ${message}`;
  }) ?? [];
}

/** Whether anything is a Standard Schema. Some libraries' schemas are functions. */
export function isSchema(schema: unknown): schema is Schema<unknown, unknown> {
  if ((typeof schema !== "object" && typeof schema !== "function") || schema === null) return false;
  if (!("~standard" in schema)) return false;
  const standard = schema["~standard"];
  return typeof standard === "object" && standard !== null && "validate" in standard &&
    typeof standard.validate === "function";
}
