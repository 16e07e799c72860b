/** An instance as a store within the process keeps it. @module */
import type { SagaRow } from "../../spi/rows.ts";
import type { SagaDefinition } from "../definition.ts";

const encoder = new TextEncoder();
const noIndex: SagaRow["index"] = Object.freeze({});

/**
 * A row whose data is the text that a serializer wrote, where the store keeps rows as they are: bytes are made of it
 * when somebody asks for them. One is there for each instance that waits, perhaps a million: it is small, and what a
 * garbage collector looks at is mostly text.
 */
export class TextRow implements SagaRow {
  readonly id: string;
  readonly incarnation: string;
  readonly version: number;
  readonly state: string;
  /** The data, as `Serializer.toText` gave it; needs no types. */
  readonly text: string;
  readonly #saga: SagaDefinition;
  readonly #index: SagaRow["index"] | undefined;

  /** @param index `undefined`: it has no values in any */
  constructor(
    saga: SagaDefinition,
    instance: { readonly id: string; readonly incarnation: string; readonly state: string },
    version: number,
    text: string,
    index: SagaRow["index"] | undefined,
  ) {
    this.id = instance.id;
    this.incarnation = instance.incarnation;
    this.version = version;
    this.state = instance.state;
    this.text = text;
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
    return encoder.encode(this.text);
  }
}
