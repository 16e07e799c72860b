/** What a saga has its endpoint handle. @module */
import type { Definition } from "../../contracts/definition.ts";
import type { Consumption } from "../../pipeline/consumption.ts";
import type { ConsumeContext } from "../../pipeline/context.ts";
import type { SagaRow } from "../../spi/rows.ts";
import type { SagaDefinition } from "../definition.ts";

/** What a saga does with the messages of one contract. */
export interface SagaPart {
  /** Whose it is. */
  readonly saga: SagaDefinition;
  readonly definition: Definition;
  /** Whether they come by the contract's topic; else they are sent to the endpoint's queue: answers, and its own. */
  readonly subscribed: boolean;
  /** The ids of the instances of which the message itself tells. */
  ids(message: unknown): readonly string[];
  /** Asks the store what the message does not tell; left out: it tells all. */
  readonly lookUp?: (consumption: Consumption, message: unknown) => Promise<Found>;
  /** What it may publish beside what its rules say. */
  readonly publishes?: readonly Definition[];
  /** Handles one, in the unit of work of its delivery. */
  handle(context: ConsumeContext): unknown;
}

/** What the store has said of a message. */
export interface Found {
  /** The instance that waits for it as an answer. */
  readonly asked: SagaRow | undefined;
  /** By the name of an event: which instances it is for. */
  readonly byEvent: ReadonlyMap<string, readonly SagaRow[]>;
  /** The ids of all of them. */
  readonly ids: readonly string[];
}
