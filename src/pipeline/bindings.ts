/** What runs on an endpoint, and which of it a message is for. @module */
import { type Reader, reader } from "../contracts/reading.ts";
import type { Definition } from "../contracts/definition.ts";
import type { Registry } from "../contracts/registry.ts";
import { parseMessageType, type TypeName } from "../envelope/message_type.ts";
import type { InstanceKey } from "../spi/rows.ts";
import type { ConsumeContext } from "./context.ts";

/** A handler on an endpoint, with its middleware around it. */
export interface Binding {
  readonly definition: Definition;
  /** Throws, or rejects, as the handler does; gives what it gives. */
  readonly run: (context: ConsumeContext) => unknown;
  /** Handled in batches: waits for others. */
  readonly batched: boolean;
  /** In a unit of work whatever its endpoint says, as what it is about is in the store: a saga's. */
  readonly stateful: boolean;
  /** Which instances in the store a message is for, as far as it tells itself, where they are loaded unlocked. */
  readonly instances?: ((message: unknown) => readonly InstanceKey[]) | undefined;
}

/** How one binding gets what came. */
export interface Reading {
  readonly binding: Binding;
  /** The most specific contract that the bus knows the message by: it decides how the message is read. */
  readonly as: Definition;
  /** `undefined`: as it is. */
  readonly read: Reader | undefined;
}

/** Which bindings a message is for. */
export interface Match {
  readonly readings: readonly Reading[];
  /** Handled in batches. */
  readonly batched: boolean;
  /** In a unit of work in any case. */
  readonly stateful: boolean;
}

const nothing: Match = Object.freeze({ readings: [], batched: false, stateful: false });
const mostCached = 1000;

/** Finds, by the `hero-type` header, the bindings of an endpoint that a message is for. */
export class Bindings {
  readonly #all: readonly Binding[];
  readonly #registry: Registry;
  readonly #byType = new Map<string, Match>();

  constructor(all: readonly Binding[], registry: Registry) {
    this.#all = all;
    this.#registry = registry;
  }

  /** Whether any handles batches. */
  get anyBatched(): boolean {
    return this.#all.some(({ batched }) => batched);
  }

  /** What a message is for, by its `hero-type` header; no readings: for nothing here. */
  match(type: string): Match {
    const known = this.#byType.get(type);
    if (known !== undefined) return known;
    const match = this.#find(parseMessageType(type));
    // A hostile sender must not fill the memory with types that nobody has.
    if (this.#byType.size >= mostCached) this.#byType.clear();
    this.#byType.set(type, match);
    return match;
  }

  /** What was learnt is forgotten: the bus knows more contracts by now. */
  forget(): void {
    this.#byType.clear();
  }

  #find(types: readonly TypeName[]): Match {
    const readings: Reading[] = [];
    for (const binding of this.#all) {
      const index = types.findIndex(({ name }) => name === binding.definition.name);
      const type = types[index];
      if (type === undefined || !this.#chosen(binding, type)) continue;
      readings.push(this.#reading(binding, types.slice(0, index), type));
    }
    if (readings.length === 0) return nothing;
    return {
      readings,
      batched: readings.some(({ binding }) => binding.batched),
      stateful: readings.some(({ binding }) => binding.stateful),
    };
  }

  /** Of several versions of one name, one handles the message: its own, else the next above, else the highest. */
  #chosen(binding: Binding, { name, version }: TypeName): boolean {
    const versions = this.#all.filter(({ definition }) => definition.name === name).map(({ definition }) =>
      definition.version
    );
    const above = versions.filter((each) => each >= version);
    return binding.definition.version === (above.length > 0 ? Math.min(...above) : Math.max(...versions));
  }

  #reading(binding: Binding, derived: readonly TypeName[], own: TypeName): Reading {
    for (const type of derived) {
      const known = this.#registry.find(type.name, type.version);
      if (known !== undefined && derives(known, binding.definition)) {
        return { binding, as: known, read: reader(known, type.version) };
      }
    }
    return { binding, as: binding.definition, read: reader(binding.definition, own.version) };
  }
}

/** Whether a message of `definition` is also one of `base`, of whatever version. */
export function derives(definition: Definition, base: Definition): boolean {
  for (let at: Definition | undefined = definition; at !== undefined; at = at.base) {
    if (at === base || at.name === base.name) return true;
  }
  return false;
}

/** Unlike `derives`, of the same version too: of another, the message has another shape. */
export function isOf(definition: Definition, base: Definition): boolean {
  for (let at: Definition | undefined = definition; at !== undefined; at = at.base) {
    if (at === base || (at.name === base.name && at.version === base.version)) return true;
  }
  return false;
}
