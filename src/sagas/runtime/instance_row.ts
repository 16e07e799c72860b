/** Instances as rows of a store, and back. @module */
import { toError } from "../../errors/thrown.ts";
import { InvalidSagaDataError, SagaVersionAheadError, UnreadableSagaError } from "../../errors/saga.ts";
import type { Serializer } from "../../spi/serializer.ts";
import type { SagaRow } from "../../spi/rows.ts";
import { type Awaitable, isPromise } from "../../values/awaitable.ts";
import { copyOfPlain, isSamePlain } from "../../values/plain_copy.ts";
import { none } from "../../values/none.ts";
import { issuesOf, type SchemaResult, validates } from "../../values/schema.ts";
import { finalState, initialState, type SagaDefinition } from "../definition.ts";
import { isEmpty, nothing, type SagaInstance } from "../instance.ts";
import { isOver } from "../machine.ts";
import { KeptRow } from "./kept_row.ts";

/** What the bytes of a row hold. What is empty is left out. */
interface Document {
  readonly data: object;
  readonly arrived?: SagaInstance["arrived"];
  readonly timeouts?: SagaInstance["timeouts"];
  readonly requests?: SagaInstance["requests"];
  readonly undos?: SagaInstance["undos"];
  readonly compensating?: NonNullable<SagaInstance["compensating"]>;
}

type Mutable<Record> = { -readonly [Key in keyof Record]: Record[Key] };

/**
 * What a row says of its instance, brought to this version of the saga.
 *
 * @throws {SagaVersionAheadError} if a later version wrote it
 * @throws {UnreadableSagaError} if it is damaged, or this version of the saga does not go with it
 */
export function fromRow(definition: SagaDefinition, row: SagaRow, serializer: Serializer): Awaitable<SagaInstance> {
  const { id, state } = row;
  if (row.schema > definition.version) {
    throw new SagaVersionAheadError(definition.name, id, row.schema, definition.version);
  }
  if (state !== initialState && state !== finalState && !definition.states.includes(state)) {
    throw unreadable(
      definition,
      row,
      `its state "${state}" is none of ${definition.states.map((each) => `"${each}"`).join(", ")}`,
    );
  }
  const document = read(definition, row, serializer);
  if (!isDocument(document)) throw unreadable(definition, row, "its data is not what a saga writes");
  const data = row.schema === definition.version ? document.data : upgraded(definition, row, document.data);
  return validates(definition.data) || !isObject(data)
    ? valid(definition, row, document, data)
    : made(row, document, data);
}

function read(definition: SagaDefinition, row: SagaRow, serializer: Serializer): unknown {
  try {
    if (row instanceof KeptRow) {
      const { content } = row;
      if (typeof content === "object") return copyOfPlain(content);
      if (serializer.fromText !== undefined) return serializer.fromText(content, undefined);
    }
    return serializer.deserialize(row.data, row.types);
  } catch (thrown) {
    throw unreadable(definition, row, `its data is damaged: ${toError(thrown).message}`, thrown);
  }
}

function valid(definition: SagaDefinition, row: SagaRow, document: Document, data: unknown): Awaitable<SagaInstance> {
  const result = checked(
    definition,
    data,
    (issues) => unreadable(definition, row, `its data is wrong: ${issues.join("; ")}`),
  );
  return isPromise(result) ? result.then((value) => made(row, document, value)) : made(row, document, result);
}

function made({ id, incarnation, state }: SagaRow, document: Document, data: object): SagaInstance {
  const { arrived = nothing, timeouts = nothing, requests = nothing, undos = none, compensating } = document;
  return { id, incarnation, state, data, arrived, timeouts, requests, undos, compensating };
}

function unreadable({ name }: SagaDefinition, { id }: SagaRow, why: string, cause?: unknown): UnreadableSagaError {
  return new UnreadableSagaError(name, id, why, cause === undefined ? undefined : { cause });
}

function upgraded(definition: SagaDefinition, { id, schema }: SagaRow, data: object): unknown {
  let made: unknown = data;
  for (let version = schema; version < definition.version; version++) {
    const upgrade = definition.upgrades.get(version);
    if (upgrade === undefined) {
      throw new UnreadableSagaError(
        definition.name,
        id,
        `its data is of version ${schema}, and nothing makes version ${version + 1} of version ${version}`,
      );
    }
    try {
      made = upgrade(made);
    } catch (cause) {
      const why = `the upgrade from version ${version} failed: ${toError(cause).message}`;
      throw new UnreadableSagaError(definition.name, id, why, { cause });
    }
  }
  return made;
}

/** By the saga's schema; throws, or rejects, with what `refuse` makes. */
function checked(
  { data: schema }: SagaDefinition,
  data: unknown,
  refuse: (issues: readonly string[]) => Error,
): Awaitable<object> {
  const output = (result: SchemaResult<unknown>): object => {
    if (result.issues !== undefined) throw refuse(issuesOf(result));
    if (isObject(result.value)) return result.value;
    throw refuse(["it is no object"]);
  };
  if (!validates(schema)) return output({ value: data });
  const result = schema["~standard"].validate(data);
  return isPromise(result) ? result.then(output) : output(result);
}

/**
 * What is to be written is held to the saga's schema.
 *
 * @throws {InvalidSagaDataError} if it does not satisfy it
 */
export function checkData(definition: SagaDefinition, { id, data }: SagaInstance): Awaitable<unknown> {
  if (!validates(definition.data)) return undefined;
  return checked(definition, data, (issues) => new InvalidSagaDataError(definition.name, id, issues));
}

/**
 * The row of an instance as it is now.
 *
 * @param kept whether the store keeps it as it is
 */
export function toRow(
  definition: SagaDefinition,
  instance: SagaInstance,
  before: SagaRow | undefined,
  serializer: Serializer,
  kept: boolean,
): SagaRow {
  const { id, incarnation, state, data, arrived, timeouts, requests, undos, compensating } = instance;
  const document: Mutable<Document> = { data };
  if (!isEmpty(arrived)) document.arrived = arrived;
  if (!isEmpty(timeouts)) document.timeouts = timeouts;
  if (!isEmpty(requests)) document.requests = requests;
  if (undos.length > 0) document.undos = undos;
  if (compensating !== undefined) document.compensating = compensating;
  const version = (before?.version ?? 0) + 1;
  const index = indexOf(definition, instance);
  const content = kept ? contentOf(document, serializer) : undefined;
  if (content !== undefined) return new KeptRow(definition, instance, version, content, index);
  const { body, types } = serializer.serialize(document);
  const schema = definition.version;
  return { saga: definition.name, id, incarnation, version, schema, state, data: body, types, index: index ?? {} };
}

/** `undefined`: it takes types to be read, or its format is no text. */
function contentOf(document: Document, serializer: Serializer): object | string | undefined {
  const copy = serializer.copy?.(document);
  if (copy !== undefined) return copy;
  const written = serializer.toText?.(document);
  return written?.types === undefined ? written?.text : undefined;
}

/** Whether a row says the same as another, but for how often it was written. */
export function isSame(a: SagaRow, b: SagaRow): boolean {
  return a.incarnation === b.incarnation && a.schema === b.schema && a.state === b.state && a.types === b.types &&
    isSameData(a, b);
}

function isSameData(a: SagaRow, b: SagaRow): boolean {
  if (a instanceof KeptRow && b instanceof KeptRow) {
    const [one, other] = [a.content, b.content];
    if (typeof one === typeof other) return isSamePlain(one, other);
  }
  const [one, other] = [a.data, b.data];
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** The index by which the instance that waits for an answer is found; its value is always {@linkcode waiting}. */
export function requestIndex(requestId: string): string {
  return `~request:${requestId}`;
}
/** See {@linkcode requestIndex}. */
export const waiting = "1";

/** `undefined`: it has no values in any. */
function indexOf(definition: SagaDefinition, instance: SagaInstance): SagaRow["index"] | undefined {
  // What is over is found by its id alone.
  if (isOver(definition, instance)) return undefined;
  const { data, requests } = instance;
  let index: Record<string, string> | undefined;
  for (const name of definition.indexes) {
    const value: unknown = Reflect.get(data, name);
    if (value !== undefined && value !== null) (index ??= {})[name] = String(value);
  }
  if (requests === nothing) return index;
  for (const requestId in requests) (index ??= {})[requestIndex(requestId)] = waiting;
  return index;
}

function isDocument(value: unknown): value is Document {
  if (!isObject(value)) return false;
  const { data, arrived, timeouts, requests, undos, compensating } = value as Partial<Record<string, unknown>>; // any
  return isObject(data) && isObjectOrNone(arrived) && isObjectOrNone(timeouts) && isObjectOrNone(requests) &&
    isObjectOrNone(compensating) && (undos === undefined || Array.isArray(undos));
}

function isObjectOrNone(value: unknown): boolean {
  return value === undefined || isObject(value);
}
function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
