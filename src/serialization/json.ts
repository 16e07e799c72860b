/** JSON that any language reads, and that arrives as it was sent. @module */
import { UnreadableMessageError } from "../errors/receiving.ts";
import { UnserializableError } from "../errors/sending.ts";
import type { Serialized, SerializedText, Serializer } from "../spi/serializer.ts";
import { restore } from "./json_reader.ts";
import { toPlainJson } from "./json_writer.ts";
import { limitsOf, type SerializerLimits } from "./limits.ts";
import { isPlain } from "./plain.ts";
import { copyIfPlain } from "../values/plain_copy.ts";
import { isShallow, isShallowText, opensFew } from "./shallow.ts";
import { formatTypes, parseTypes, type TypeTree } from "./type_tree.ts";
import { Utf8Encoder } from "./utf8_encoder.ts";

/** Quicker than a fatal one on Deno; what it could not decode shows as U+FFFD, which is rare enough to look again. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** A UTF-16 unit takes at most three bytes. */
const mostBytesPerUnit = 3;
/** In bytes: up to it, even the deepest body is parsed within milliseconds. */
const largeBody = 32 * 1024;

/**
 * The default serializer, `application/json`: the body is plain JSON in UTF-8.
 *
 * What JSON lacks is written as JSON that other languages understand, and comes back as it was: `Date` as an ISO 8601
 * text, `bigint` as digits, `Uint8Array` and `ArrayBuffer` as base64, `Map` as an array of entries, `Set` as an array.
 * The `hero-types` header then names their paths: `placedAt=date,lines.*.price=bigint`. A Node `Buffer` arrives as the
 * `Uint8Array` that it is.
 *
 * Properties that are `undefined` are left out, as in all JSON; so is what is no data: symbol keys, properties that are
 * not enumerable, named properties of an array. `-0` arrives as `0`, its equal. Anything else that would not arrive as
 * it was sent (`NaN`, an invalid `Date`, class instances, functions, lone surrogates, cycles, `undefined` or a hole in
 * an array…) is refused with the path of the value.
 *
 * @param options limits, the same for writing and reading
 * @throws {ConfigurationError} if a limit is not a whole number within its range
 * @example
 * ```ts
 * import { jsonSerializer } from "@hero/messaging";
 *
 * const json = jsonSerializer({ maxBytes: 1_000_000 });
 * const { body, types } = json.serialize({ orderId: "42", placedAt: new Date() }); // types: "placedAt=date"
 * json.deserialize(body, types);
 * ```
 */
export function jsonSerializer(options: SerializerLimits = {}): Serializer {
  return new JsonSerializer(limitsOf(options));
}

class JsonSerializer implements Serializer {
  readonly contentType = "application/json";
  readonly #maxDepth: number;
  readonly #maxBytes: number;
  readonly #encoder = new Utf8Encoder();

  constructor(limits: Required<SerializerLimits>) {
    this.#maxDepth = limits.maxDepth;
    this.#maxBytes = limits.maxBytes;
  }

  serialize(value: unknown): Serialized {
    const text = quickly(value, this.#maxDepth);
    if (text !== undefined) return { body: this.#encode(text), types: undefined };
    const { plain, types } = toPlainJson(value, this.#maxDepth);
    const body = this.#encode(JSON.stringify(plain));
    return { body, types: types === undefined ? undefined : formatTypes(types) };
  }

  toText(value: unknown): SerializedText {
    const text = quickly(value, this.#maxDepth);
    if (text !== undefined) return { text: this.#checked(text), types: undefined };
    const { plain, types } = toPlainJson(value, this.#maxDepth);
    return { text: this.#checked(JSON.stringify(plain)), types: types === undefined ? undefined : formatTypes(types) };
  }

  copy(value: object, mostBytes = Infinity): object | undefined {
    return copyIfPlain(value, this.#maxDepth, Math.min(this.#maxBytes, mostBytes));
  }

  fromText(text: string, types: string | undefined): unknown {
    // What may be large, or too large, is told by its bytes.
    if (text.length * mostBytesPerUnit > Math.min(this.#maxBytes, largeBody)) {
      return this.deserialize(this.#encoder.encode(text), types);
    }
    const value = this.#parseText(text, false);
    return types === undefined ? value : restore(this.#parseTypes(types), value);
  }

  deserialize(body: Uint8Array, types: string | undefined): unknown {
    if (body.length > this.#maxBytes) {
      throw new UnreadableMessageError(`its body has ${body.length} bytes, and ${this.#maxBytes} are allowed`);
    }
    const value = this.#parse(body);
    return types === undefined ? value : restore(this.#parseTypes(types), value);
  }

  #parse(body: Uint8Array): unknown {
    const depth = this.#maxDepth;
    // Millions of levels take seconds to parse, so a large text is looked at before; the values of a small one are
    // quicker to look at.
    const isLarge = body.length > largeBody;
    if (isLarge && !isShallowText(body, depth)) throw tooDeep(depth);
    return this.#parseText(decode(body), isLarge);
  }

  #parseText(text: string, isShallowKnown: boolean): unknown {
    const depth = this.#maxDepth;
    const value = parse(text);
    if (!isShallowKnown && !opensFew(text, depth) && !isShallow(value, depth)) throw tooDeep(depth);
    return value;
  }

  /** @throws {UnserializableError} if its bytes would be too many */
  #checked(text: string): string {
    if (text.length * mostBytesPerUnit > this.#maxBytes) this.#encode(text);
    return text;
  }

  #encode(text: string): Uint8Array {
    const body = this.#encoder.encode(text);
    if (body.length <= this.#maxBytes) return body;
    throw new UnserializableError(
      "",
      `it takes ${body.length} bytes, and ${this.#maxBytes} are allowed. Send less, or raise { maxBytes }`,
      { excess: { sizeInBytes: body.length, limitInBytes: this.#maxBytes } },
    );
  }

  #parseTypes(types: string): TypeTree {
    if (types.length <= this.#maxBytes) return parseTypes(types, this.#maxDepth);
    throw new UnreadableMessageError(
      `its types header has ${types.length} characters, and ${this.#maxBytes} are allowed`,
    );
  }
}

/** The JSON text of a value that is plain already; `undefined` if it is not, or may not be. */
function quickly(value: unknown, maxDepth: number): string | undefined {
  try {
    if (!isPlain(value, maxDepth)) return undefined;
    const text = JSON.stringify(value);
    // JSON.stringify escapes a lone surrogate as \ud800 to \udfff, and nothing else so (a written backslash is doubled).
    // One letter is looked for several times faster on Bun.
    return text.includes("\\") && text.includes("\\ud") ? undefined : text;
  } catch {
    return undefined; // A getter or proxy threw: the thorough writer meets it again and names the path.
  }
}

function decode(body: Uint8Array): string {
  if (body.length === 0) throw new UnreadableMessageError("its body is empty");
  const text = decoder.decode(body);
  return text.includes("\ufffd") ? decodeStrictly(body) : text;
}

function decodeStrictly(body: Uint8Array): string {
  try {
    return strictDecoder.decode(body);
  } catch (cause) {
    throw new UnreadableMessageError("its body is not UTF-8", { cause });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (text.startsWith("\ufeff")) {
      throw new UnreadableMessageError("its body begins with a byte order mark, which JSON does not allow", { cause });
    }
    if (!(cause instanceof SyntaxError)) throw new UnreadableMessageError("its body is nested too deeply", { cause });
    throw new UnreadableMessageError("its body is not JSON, or not all of it", { cause });
  }
}

function tooDeep(maxDepth: number): UnreadableMessageError {
  return new UnreadableMessageError(`its body is nested deeper than ${maxDepth} levels`);
}
