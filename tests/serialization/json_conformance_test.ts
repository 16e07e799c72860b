import { jsonSerializer } from "../../src/serialization/json.ts";
import type { SerializerLimits } from "../../src/serialization/limits.ts";
import type { Serializer } from "../../src/spi/serializer.ts";
import { register, serializerConformance } from "../conformance/serializer.ts";

register("json", serializerConformance(jsonSerializer));
register("json as text", serializerConformance(asText));

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
