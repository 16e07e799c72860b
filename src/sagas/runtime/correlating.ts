/** Which instances a message is for. @module */
import { ConfigurationError } from "../../errors/configuration.ts";
import { shown } from "../../errors/shown.ts";
import { UnitOfWork } from "../../outbox/unit_of_work.ts";
import type { Consumption } from "../../pipeline/consumption.ts";
import type { EventDefinition, SagaDefinition } from "../definition.ts";

/**
 * By what an event is correlated.
 *
 * @throws {ConfigurationError} if it is no id
 */
export function idOf(saga: SagaDefinition, { name, by }: EventDefinition, message: unknown): string {
  // The correlation's types have tied it to messages of the contract.
  const id: unknown = by.kind === "index" ? undefined : by.id(message as never);
  if (typeof id === "string" && id !== "") return id;
  throw new ConfigurationError(
    `Cannot tell which instance of "${saga.name}" "${name}" is for: its id is ${shown(id)}. Let it be text, not empty`,
  );
}

/** The values of indexes, as a store has them. */
export function whereOf(saga: SagaDefinition, what: string, match: unknown): Readonly<Record<string, string>> {
  const where = Object.entries(typeof match === "object" && match !== null ? match : {})
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]): [string, string] => [name, String(value)]);
  const unknown = where.find(([name]) => !saga.indexes.includes(name));
  if (where.length > 0 && unknown === undefined) return Object.fromEntries(where);
  throw new ConfigurationError(
    `Cannot tell which instances of "${saga.name}" "${what}" is for: ${
      unknown === undefined ? "it gives no value of an index" : `"${unknown[0]}" is not one of its { indexes }`
    }. Give one or several of ${
      saga.indexes.map((name) => `"${name}"`).join(", ") || "its { indexes }, of which it has none"
    }`,
  );
}

/** The unit that a saga's message is handled in. */
export function unitOf({ unit, services }: Consumption): UnitOfWork {
  if (unit instanceof UnitOfWork) return unit;
  throw new ConfigurationError(`A saga on "${services.name}" has no unit of work. Add it to a bus with bus.add()`);
}
