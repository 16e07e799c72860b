/** Which serializer reads a message. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { UnknownContentTypeError } from "../errors/receiving.ts";
import type { Serializer } from "../spi/serializer.ts";
import { jsonSerializer } from "./json.ts";

/** The serializers of a bus: one that writes, and all that read, by content type. JSON is always read. */
export class Serializers {
  /** What writes. */
  readonly default: Serializer;
  /** What reads and writes JSON. */
  readonly json: Serializer;
  readonly #byContentType: ReadonlyMap<string, Serializer>;

  /**
   * Of one bus.
   *
   * @param writes what writes, and reads its own; left out: JSON
   * @param reads what else is read
   * @throws {ConfigurationError} if two have one content type
   */
  constructor(writes: Serializer = jsonSerializer(), reads: readonly Serializer[] = []) {
    this.default = writes;
    const byContentType = new Map<string, Serializer>();
    for (const serializer of new Set([writes, ...reads])) {
      const contentType = essence(serializer.contentType);
      if (byContentType.has(contentType)) {
        throw new ConfigurationError(`Two serializers have the content type "${contentType}". Give one of them`);
      }
      byContentType.set(contentType, serializer);
    }
    this.json = byContentType.get("application/json") ?? jsonSerializer();
    byContentType.set("application/json", this.json);
    this.#byContentType = byContentType;
  }

  /** The content types that are read. */
  get contentTypes(): readonly string[] {
    return [...this.#byContentType.keys()];
  }

  /**
   * The serializer that reads a content type. Case and parameters (`; charset=utf-8`) make no difference.
   *
   * @param contentType as it came; JSON is assumed where none came
   * @throws {UnknownContentTypeError} if none reads it
   */
  pick(contentType: string | undefined): Serializer {
    if (contentType === this.default.contentType) return this.default;
    const exact = this.#byContentType.get(contentType ?? "application/json");
    if (exact !== undefined) return exact;
    const serializer = this.#byContentType.get(essence(contentType ?? "") || "application/json");
    if (serializer !== undefined) return serializer;
    throw new UnknownContentTypeError(contentType ?? "", this.contentTypes);
  }
}

/** `Application/JSON; charset=utf-8` → `application/json`. */
function essence(contentType: string): string {
  const semicolon = contentType.indexOf(";");
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}
