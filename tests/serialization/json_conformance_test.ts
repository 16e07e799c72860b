import { jsonSerializer } from "../../src/serialization/json.ts";
import { register, serializerConformance } from "../conformance/serializer.ts";

register("json", serializerConformance(jsonSerializer));
