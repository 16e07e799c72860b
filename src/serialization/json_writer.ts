/** The thorough way to JSON: converts what JSON lacks, and names what cannot be carried. @module */
import { HeroError } from "../errors/hero_error.ts";
import { UnserializableError } from "../errors/sending.ts";
import { toBase64 } from "../values/base64.ts";
import { maxBigintDigits } from "./limits.ts";
import { mergeChildren } from "./merge_types.ts";
import { isPlainPrototype } from "./plain.ts";
import type { Kind, TypeTree } from "./type_tree.ts";

/** A value as `JSON.stringify` writes it without loss. */
export interface PlainJson {
  readonly plain: unknown;
  /** `undefined` where nothing stands for something else. */
  readonly types: TypeTree | undefined;
}

/**
 * Copies `value` to what JSON has.
 *
 * @param maxDepth how many containers may stand inside one another
 * @throws {UnserializableError} naming the path of what JSON cannot carry
 */
export function toPlainJson(value: unknown, maxDepth: number): PlainJson {
  return new JsonWriter(maxDepth).write(value);
}

const leaves: Readonly<Record<Exclude<Kind, "map" | "set">, TypeTree>> = {
  date: { kind: "date" },
  bigint: { kind: "bigint" },
  bytes: { kind: "bytes" },
  buffer: { kind: "buffer" },
};

/** Reads every property once, so that a getter cannot say one thing to the check and another to the writer. */
class JsonWriter {
  readonly #maxDepth: number;
  /** From the root to the value at hand: keys, and the containers that hold them. */
  readonly #path: (string | number)[] = [];
  readonly #holders: object[] = [];
  /** Of the value converted last. */
  #types: TypeTree | undefined;

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  write(value: unknown): PlainJson {
    try {
      const plain = this.#convert(value);
      return { plain, types: this.#types };
    } catch (error) {
      if (error instanceof HeroError) throw error;
      throw this.#refuse("reading it threw an error. See the cause, and send plain data", { cause: error });
    }
  }

  #convert(value: unknown): unknown {
    this.#types = undefined;
    switch (typeof value) {
      case "string":
        if (value.isWellFormed()) return value;
        throw this.#refuse("it has half of a surrogate pair, which UTF-8 cannot carry. Send text.toWellFormed()");
      case "boolean":
        return value;
      case "number":
        if (Number.isFinite(value)) return value;
        throw this.#refuse(`it is ${value}, which JSON lacks. Send null or a text that says so`);
      case "bigint":
        return this.#bigint(value);
      case "object":
        return value === null ? null : this.#object(value);
      case "undefined":
        throw this.#refuse("it is undefined, which JSON lacks. Send null, or leave the property out");
      default:
        throw this.#refuse(`it is a ${typeof value}. Send data only`);
    }
  }

  #bigint(value: bigint): string {
    const text = value.toString();
    if (text.length > maxBigintDigits) {
      throw this.#refuse(`it has ${text.length} digits, and ${maxBigintDigits} are allowed. Send it as bytes`);
    }
    this.#types = leaves.bigint;
    return text;
  }

  #object(value: object): unknown {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (Array.isArray(value)) {
      if (!isArrayPrototype(prototype)) throw this.#refuse(`it is ${nameOf(value)}. Send Array.from(it)`);
      return this.#array(value, value);
    }
    if (isPlainPrototype(prototype)) return this.#record(value as Record<string, unknown>);
    return this.#special(value);
  }

  #special(value: object): unknown {
    // The tag can be lied about: the methods taken from the prototypes then throw a TypeError.
    const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
    const derived = !isDirect(value);
    if (tag === "Uint8Array") return this.#bytes(value as Uint8Array, leaves.bytes); // a Node Buffer too
    if (tag === "Date" && !derived) return this.#date(value as Date);
    if (tag === "ArrayBuffer" && !derived) return this.#bytes(new Uint8Array(value as ArrayBuffer), leaves.buffer);
    if (tag === "Map" && !derived) {
      return this.#map(value, [...Map.prototype.entries.call(value as Map<unknown, unknown>)]);
    }
    if (tag === "Set" && !derived) {
      const plain = this.#array(value, [...Set.prototype.values.call(value as Set<unknown>)]);
      this.#types = { kind: "set", all: this.#types?.all, keys: this.#types?.keys };
      return plain;
    }
    if (ArrayBuffer.isView(value)) throw this.#refuse(`it is ${nameOf(value)}. Send a Uint8Array of its bytes`);
    throw this.#refuse(`it is ${nameOf(value)}. Send plain data, and rebuild the object where it arrives`);
  }

  #date(value: Date): string {
    const time = Date.prototype.getTime.call(value);
    if (Number.isNaN(time)) throw this.#refuse("it is an invalid Date. Send null, or a valid one");
    this.#types = leaves.date;
    return new Date(time).toISOString();
  }

  #bytes(value: Uint8Array, types: TypeTree): string {
    if ((value.buffer as { readonly detached?: boolean }).detached === true) {
      throw this.#refuse("its buffer is detached, so its bytes are gone. Send it before it is transferred, or a copy");
    }
    const text = toBase64(value);
    this.#types = types;
    return text;
  }

  /** Before what is in a container; after it, the holder is popped. */
  #enter(holder: object): void {
    this.#holders.push(holder);
    if (this.#holders.length > this.#maxDepth) throw this.#tooDeep();
  }

  /** @param holder the array, or the set whose members the values are */
  #array(holder: object, values: readonly unknown[]): unknown[] {
    this.#enter(holder);
    const plain: unknown[] = [];
    let types: Map<string, TypeTree> | undefined;
    for (let index = 0; index < values.length; index++) {
      this.#path.push(index);
      const value = values[index];
      if (value === undefined && !Object.hasOwn(values, index)) {
        throw this.#refuse("the array has a hole there. Send null in its place");
      }
      plain.push(this.#convert(value));
      if (this.#types !== undefined) (types ??= new Map()).set(String(index), this.#types);
      this.#path.pop();
    }
    this.#holders.pop();
    this.#types = types && mergeChildren(types, plain);
    return plain;
  }

  #record(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
    this.#enter(record);
    if (typeof record.toJSON === "function") {
      throw this.#refuse("it has a method toJSON, which would replace it. Send what toJSON returns");
    }
    const plain: Record<string, unknown> = {};
    let types: Map<string, TypeTree> | undefined;
    for (const key of Object.keys(record)) {
      this.#path.push(key);
      if (!key.isWellFormed()) throw this.#refuse("its key has half of a surrogate pair, which UTF-8 cannot carry");
      const value = record[key];
      if (value !== undefined) {
        setOwn(plain, key, this.#convert(value));
        if (this.#types !== undefined) (types ??= new Map()).set(key, this.#types);
      }
      this.#path.pop();
    }
    this.#holders.pop();
    this.#types = types && mergeChildren(types, plain);
    return plain;
  }

  #map(holder: object, entries: readonly (readonly [unknown, unknown])[]): unknown[] {
    this.#enter(holder);
    const plain: unknown[] = [];
    const types = new Map<string, TypeTree>();
    for (const [index, entry] of entries.entries()) {
      this.#path.push(index);
      plain.push(this.#entry(entry));
      if (this.#types !== undefined) types.set(String(index), this.#types);
      this.#path.pop();
    }
    this.#holders.pop();
    const { all, keys } = types.size === 0 ? {} : mergeChildren(types, plain);
    this.#types = { kind: "map", all, keys };
    return plain;
  }

  /** Key and value are never merged to `*`: entries then keep one shape, and merge among themselves. */
  #entry(entry: readonly [unknown, unknown]): unknown[] {
    this.#enter(entry);
    const keys = new Map<string, TypeTree>();
    const plain = entry.map((value, side) => {
      this.#path.push(side);
      const converted = this.#convert(value);
      if (this.#types !== undefined) keys.set(String(side), this.#types);
      this.#path.pop();
      return converted;
    });
    this.#holders.pop();
    this.#types = keys.size === 0 ? undefined : { keys };
    return plain;
  }

  #tooDeep(): UnserializableError {
    const seen = new Set<object>();
    for (const [depth, holder] of this.#holders.entries()) {
      if (seen.has(holder)) {
        this.#path.length = depth;
        return this.#refuse("it is one of its own parents: a cycle. Send its id in place of it");
      }
      seen.add(holder);
    }
    return this.#refuse(`it is nested deeper than ${this.#maxDepth} levels. Send flatter data, or raise { maxDepth }`);
  }

  #refuse(why: string, options?: ErrorOptions): UnserializableError {
    return new UnserializableError(this.#path.map((key) => String(key).toWellFormed()).join("."), why, options);
  }
}

/** Sets an own property, whatever its name: assigning to `__proto__` would set the prototype. */
function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") target[key] = value;
  else Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}

/** `Array.prototype` is an array itself, in every realm; the prototype of a class that extends it is not. */
function isArrayPrototype(prototype: unknown): boolean {
  return prototype === Array.prototype ||
    (Array.isArray(prototype) && Object.getPrototypeOf(Object.getPrototypeOf(prototype)) === null);
}

/** Whether a Date, Map, Set or ArrayBuffer is just that, not of a class that extends it; in any realm. */
function isDirect(value: object): boolean {
  const grandparent: unknown = Object.getPrototypeOf(Object.getPrototypeOf(value));
  return isPlainPrototype(grandparent) && grandparent !== null;
}

function nameOf(value: object): string {
  const name: unknown = (value as { readonly constructor?: { readonly name?: unknown } }).constructor?.name;
  return typeof name === "string" && name !== "" ? `an instance of ${name}` : "an object with a prototype of its own";
}
