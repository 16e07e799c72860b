/** An instance as a store within the process keeps it. @module */
import type { SagaRow } from "../../spi/rows.ts";
import type { SagaDefinition } from "../definition.ts";

const encoder = new TextEncoder();
const noIndex: SagaRow["index"] = Object.freeze({});

/**
 * A row whose data is a copy that nobody changes, or the text that a serializer wrote, where the store keeps rows as they
 * are: bytes are made of it when somebody asks for them. One is there for each instance that waits, perhaps a million:
 * it is small.
 */
export class KeptRow implements SagaRow {
  readonly id: string;
  readonly incarnation: string;
  readonly version: number;
  readonly state: string;
  /** The data, as `Serializer.copy` or `Serializer.toText` gave it; needs no types. */
  readonly content: object | string;
  readonly #saga: SagaDefinition;
  readonly #index: SagaRow["index"] | undefined;

  /** @param index `undefined`: it has no values in any */
  constructor(
    saga: SagaDefinition,
    instance: { readonly id: string; readonly incarnation: string; readonly state: string },
    version: number,
    content: object | string,
    index: SagaRow["index"] | undefined,
  ) {
    this.id = instance.id;
    this.incarnation = instance.incarnation;
    this.version = version;
    this.state = instance.state;
    this.content = content;
    this.#saga = saga;
    this.#index = index;
  }

  get saga(): string {
    return this.#saga.name;
  }
  get schema(): number {
    return this.#saga.version;
  }
  get index(): SagaRow["index"] {
    return this.#index ?? noIndex;
  }
  get types(): undefined {
    return undefined;
  }
  get data(): Uint8Array {
    return encoder.encode(typeof this.content === "string" ? this.content : JSON.stringify(this.content));
  }
}
