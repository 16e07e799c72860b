/** Instances as rows of a store, and back. @module */
import { toError } from "../../errors/thrown.ts";
import { InvalidSagaDataError, SagaVersionAheadError, UnreadableSagaError } from "../../errors/saga.ts";
import type { Serializer } from "../../spi/serializer.ts";
import type { SagaRow } from "../../spi/rows.ts";
import { type Awaitable, isPromise } from "../../values/awaitable.ts";
import { issuesOf, type SchemaResult, validates } from "../../values/schema.ts";
import { finalState, initialState, type SagaDefinition } from "../definition.ts";
import type { SagaInstance } from "../instance.ts";
import { isOver } from "../machine.ts";

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
  const { id, incarnation, state } = row;
  const refuse = (why: string, cause?: unknown): never => {
    throw new UnreadableSagaError(definition.name, id, why, cause === undefined ? undefined : { cause });
  };
  if (row.schema > definition.version) {
    throw new SagaVersionAheadError(definition.name, id, row.schema, definition.version);
  }
  if (state !== initialState && state !== finalState && !definition.states.includes(state)) {
    refuse(`its state "${state}" is none of ${definition.states.map((each) => `"${each}"`).join(", ")}`);
  }
  let document: unknown;
  try {
    document = serializer.deserialize(row.data, row.types);
  } catch (thrown) {
    return refuse(`its data is damaged: ${toError(thrown).message}`, thrown);
  }
  if (!isDocument(document)) return refuse("its data is not what a saga writes");
  const data = upgraded(definition, row, document.data);
  const { arrived = {}, timeouts = {}, requests = {}, undos = [], compensating } = document;
  const made = (of: object): SagaInstance => ({
    id,
    incarnation,
    state,
    data: of,
    arrived,
    timeouts,
    requests,
    undos,
    compensating,
  });
  const valid = checked(
    definition,
    data,
    (issues) => new UnreadableSagaError(definition.name, id, `its data is wrong: ${issues.join("; ")}`),
  );
  return isPromise(valid) ? valid.then(made) : made(valid);
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

/** The row of an instance as it is now. */
export function toRow(
  definition: SagaDefinition,
  instance: SagaInstance,
  before: SagaRow | undefined,
  serializer: Serializer,
): SagaRow {
  const { id, incarnation, state, data, arrived, timeouts, requests, undos, compensating } = instance;
  const document: Mutable<Document> = { data };
  if (!isEmpty(arrived)) document.arrived = arrived;
  if (!isEmpty(timeouts)) document.timeouts = timeouts;
  if (!isEmpty(requests)) document.requests = requests;
  if (undos.length > 0) document.undos = undos;
  if (compensating !== undefined) document.compensating = compensating;
  const { body, types } = serializer.serialize(document);
  return {
    saga: definition.name,
    id,
    incarnation,
    version: (before?.version ?? 0) + 1,
    schema: definition.version,
    state,
    data: body,
    types,
    index: indexOf(definition, instance),
  };
}

/** Whether a row says the same as another, but for how often it was written. */
export function isSame(a: SagaRow, b: SagaRow): boolean {
  return a.incarnation === b.incarnation && a.schema === b.schema && a.state === b.state && a.types === b.types &&
    a.data.length === b.data.length && a.data.every((byte, at) => byte === b.data[at]);
}

/** The index by which the instance that waits for an answer is found; its value is always {@linkcode waiting}. */
export function requestIndex(requestId: string): string {
  return `~request:${requestId}`;
}
/** See {@linkcode requestIndex}. */
export const waiting = "1";

function indexOf(definition: SagaDefinition, instance: SagaInstance): SagaRow["index"] {
  const index: Record<string, string> = {};
  // What is over is found by its id alone.
  if (isOver(definition, instance)) return index;
  const { data, requests } = instance;
  for (const name of definition.indexes) {
    const value: unknown = Reflect.get(data, name);
    if (value !== undefined && value !== null) index[name] = String(value);
  }
  for (const requestId in requests) index[requestIndex(requestId)] = waiting;
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

function isEmpty(record: Readonly<Record<string, unknown>>): boolean {
  for (const _ in record) return false;
  return true;
}
