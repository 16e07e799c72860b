import { jsonSerializer } from "../../src/serialization/json.ts";
import { copyOfPlain } from "../../src/values/plain_copy.ts";
import type { SerializerLimits } from "../../src/serialization/limits.ts";
import type { Serializer } from "../../src/spi/serializer.ts";
import { register, serializerConformance } from "../conformance/serializer.ts";

register("json", serializerConformance(jsonSerializer));
register("json as text", serializerConformance(asText));
register("json as copies", serializerConformance(asCopies));

/** All that can be goes by way of text. */
function asText(limits: SerializerLimits): Serializer {
  const json = jsonSerializer(limits);
  return {
    contentType: json.contentType,
    serialize(value) {
      const { text, types } = json.toText!(value);
      return { body: new TextEncoder().encode(text), types };
    },
    deserialize(body, types) {
      let text: string;
      try {
        text = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(body);
      } catch {
        return json.deserialize(body, types); // of what is no text
      }
      return json.fromText!(text, types);
    },
  };
}

/** What can be is copied, and not read again. */
function asCopies(limits: SerializerLimits): Serializer {
  const json = jsonSerializer(limits);
  const copies = new WeakMap<Uint8Array, object>();
  return {
    contentType: json.contentType,
    serialize(value) {
      const copy = typeof value === "object" && value !== null ? json.copy!(value) : undefined;
      const serialized = json.serialize(copy ?? value);
      if (copy !== undefined) copies.set(serialized.body, copy);
      return serialized;
    },
    deserialize(body, types) {
      const copy = copies.get(body);
      return copy === undefined ? json.deserialize(body, types) : copyOfPlain(copy);
    },
  };
}
