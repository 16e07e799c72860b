/**
 * Writes an application: 200 contracts, 50 endpoints of 12 handlers each, whose code uses the library and little else.
 *
 * @module
 */

/** How large it is. */
export interface AppSize {
  readonly commands: number;
  readonly queries: number;
  readonly events: number;
  readonly endpoints: number;
  readonly handlersPerEndpoint: number;
}
/** 200 contracts, 600 handlers. */
export const size: AppSize = { commands: 60, queries: 40, events: 100, endpoints: 50, handlersPerEndpoint: 12 };

function contracts({ commands, queries, events }: AppSize): string {
  const lines = [`import { command, event, query } from "@hero/messaging";`];
  for (let i = 0; i < events; i++) {
    lines.push(
      `export interface Event${i} { orderId: string; total${i}: number; lines: readonly { sku: string; count: number }[]; note?: string }`,
      `export const Event${i} = event<Event${i}>("app.event-${i}"${i % 2 === 0 ? ", { key: (m) => m.orderId }" : ""});`,
    );
  }
  for (let i = 0; i < commands; i++) {
    lines.push(
      `export interface Command${i} { orderId: string; amount${i}: number; currency: "EUR" | "USD" }`,
      `export const Command${i} = command<Command${i}>("app.command-${i}"${
        i % 2 === 0 ? `, { to: "queue:endpoint-${i}", ttl: "1d" }` : ""
      });`,
    );
  }
  for (let i = 0; i < queries; i++) {
    lines.push(
      `export interface Query${i} { orderId: string; page${i}?: number }`,
      `export interface Answer${i} { orderId: string; status: "new" | "paid" | "shipped"; value${i}: number }`,
      `export const Query${i} = query<Query${i}, Answer${i}>("app.query-${i}");`,
    );
  }
  return lines.join("\n") + "\n";
}

/** Each command and query has one owner; the other handlers are of events, and send on. */
function handler(endpoint: number, place: number, { commands, queries, events, endpoints }: AppSize): string {
  // Dealt out like cards, so that every endpoint has some of each kind; no event twice on one endpoint.
  const n = place * endpoints + endpoint;
  const event = `Event${(endpoint * 7 + place * 13) % events}`;
  const published = (i: number) =>
    `ctx.publish(c.Event${i}, { orderId: m.orderId, total${i}: 1, lines: [{ sku: "a", count: 2 }] })`;
  if (n < commands) return `.handle(c.Command${n}, async (m, ctx) => { await ${published(n % events)}; })`;
  if (n < commands + queries) {
    const i = n - commands;
    return `.handle(c.Query${i}, (m) => ({ orderId: m.orderId, status: "new", value${i}: m.page${i} ?? 0 }))`;
  }
  const command = n % commands;
  switch (n % 3) {
    case 0:
      return `.handle(c.${event}, async (m, ctx) => { await ctx.send(c.Command${command}, { orderId: m.orderId, amount${command}: m.lines.length, currency: "EUR" }); })`;
    case 1: {
      const i = n % queries;
      return `.handle(c.${event}, async (m, ctx) => { const a = await ctx.request(c.Query${i}, { orderId: m.orderId }, { timeout: "5s" }); if (a.status === "paid") await ctx.defer("1h"); })`;
    }
    default:
      return `.handle(c.${event}, (m) => { console.log(m.orderId, m.lines.length); })`;
  }
}

function endpoints(app: AppSize): string {
  const lines = [
    `import { createBus, retry } from "@hero/messaging";`,
    `import * as c from "./contracts.ts";`,
    `export const bus = createBus({ name: "app" });`,
  ];
  for (let e = 0; e < app.endpoints; e++) {
    const options = e % 2 === 0
      ? `{ concurrency: 32, prefetch: 128, retry: retry.exponential({ limit: 5, min: "100ms", max: "30s" }), redeliver: ["1m", "10m"] }`
      : `{ order: "key", retry: retry.immediate(3) }`;
    lines.push(`bus.endpoint("endpoint-${e}", ${options})`);
    for (let h = 0; h < app.handlersPerEndpoint; h++) lines.push(`  ${handler(e, h, app)}`);
    lines[lines.length - 1] += ";";
  }
  return lines.join("\n") + "\n";
}

/** The application's files by name. */
export function application(app: AppSize = size): Readonly<Record<string, string>> {
  return { "contracts.ts": contracts(app), "endpoints.ts": endpoints(app) };
}
