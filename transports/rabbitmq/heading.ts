/** What every message says of itself, in properties that AMQP has anyway: a broker pays for each header. @module */
import type { MessageProperties, Options } from "amqplib";
import { names } from "../../src/envelope/headers.ts";
import { isShort } from "./encoding.ts";

/** What `app_id` begins with where the rest of it is `hero-meta`, and the property `type` is `hero-type`. */
const mark = "hero:";

/** Most messages say the same of their sender as the one before. */
let lastMeta = "";
let lastAppId = mark;

/** Takes both headers out of a table and puts them into properties. Where those are in use, or too short, both stay. */
export function writeHeading(properties: Options.Publish, table: Record<string, unknown>): void {
  const type = table[names.type];
  const meta = table[names.meta];
  if (typeof type !== "string" || typeof meta !== "string") return;
  if (properties.type !== undefined || properties.appId !== undefined) return;
  const appId = meta === lastMeta ? lastAppId : mark + meta;
  if (!isShort(type) || !isShort(appId)) return;
  lastMeta = meta;
  lastAppId = appId;
  properties.type = type;
  properties.appId = appId;
  table[names.type] = table[names.meta] = undefined;
}

/** The `hero-meta` that stands in properties, where `type` is `hero-type`; `undefined`: it does not. */
export function metaIn({ type, appId }: Pick<MessageProperties, "type" | "appId">): string | undefined {
  if (typeof type !== "string" || typeof appId !== "string" || !appId.startsWith(mark)) return undefined;
  if (appId !== lastAppId) {
    lastMeta = appId.slice(mark.length);
    lastAppId = appId;
  }
  return lastMeta;
}
