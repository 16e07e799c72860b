/** How a bus is. @module */
import type { Backlog } from "../spi/telemetry.ts";
import type { TransportCounts } from "../spi/transport.ts";
import type { Storage } from "../outbox/storage.ts";
import type { PluginStatus } from "../pipeline/plugin_status.ts";
import type { Health, HealthStatus } from "./control.ts";
import type { EndpointRuntime } from "./endpoint_runtime.ts";

/** How long an endpoint may have something to do without finishing anything. */
const stuckAfterInMs = 60_000;
/** How long what is due may wait in the store. */
const overdueAfterInMs = 60_000;

type Part = Health["parts"][number];

/** What is lost with its process, as it is in memory, though what belongs to it is kept for longer: by name. */
export interface Forgotten {
  /** Whose instances no store keeps, though a broker keeps their messages. */
  readonly sagas: readonly string[];
  /** The same of endpoints with `outbox: true`. */
  readonly outboxes: readonly string[];
  /** Endpoints whose queues no broker keeps, though a store keeps what is sent to them. */
  readonly queues: readonly string[];
}

/**
 * The health of a bus: its worst part's.
 *
 * @param forgotten what of it is in this process alone, where nobody has said that it may be lost
 */
export function healthOf(
  running: boolean,
  transport: readonly [name: string, status: PluginStatus, counts: TransportCounts | undefined],
  storage: Storage | undefined,
  endpoints: readonly EndpointRuntime[],
  forgotten: Forgotten,
  now: number,
): Health {
  if (!running) {
    const [name, status] = transport;
    const plugins: readonly (readonly [string, PluginStatus])[] = [
      [name, status],
      ...(storage?.opened === true ? [[`store ${storage.store.name}`, storage.status] as const] : []),
    ];
    // It may be starting: what it waits for says why.
    const awaited = plugins.filter(([, { cause }]) => cause !== undefined).map((each) => pluginPart(...each));
    return {
      status: "unhealthy",
      parts: [{ name: "bus", status: "unhealthy", reason: "It does not run" }, ...awaited],
    };
  }
  const parts: Part[] = [
    forgetfulTransport(transportPart(...transport), forgotten),
    ...(storage?.opened === true ? storageParts(storage, forgotten) : []),
    ...endpoints.map((endpoint) => endpointPart(endpoint, now)),
  ];
  return { status: worst(parts), parts };
}

function transportPart(name: string, status: PluginStatus, counts: TransportCounts | undefined): Part {
  const part = pluginPart(name, status);
  return counts === undefined ? part : { ...part, counts };
}

function pluginPart(name: string, { state, cause }: PluginStatus): Part {
  if (state === "up") return { name, status: "healthy" };
  return { name, status: state === "down" ? "unhealthy" : "degraded", reason: cause?.message ?? `It is ${state}` };
}

function storageParts(
  { store, status, trouble: { setback, held }, backlogs, given }: Storage,
  forgotten: Forgotten,
): readonly Part[] {
  const name = `store ${store.name}`;
  const reason = held === undefined
    ? setback && `Units of work fail: ${setback.message}`
    : `${held.messages === 1 ? "1 message is" : `${held.messages} messages are`} held: ${held.error.message}`;
  const own = status.state === "up" && reason !== undefined
    ? { name, status: "degraded" as const, reason }
    : pluginPart(name, status);
  return [
    given || own.status !== "healthy" ? own : forgetful(own, forgotten),
    ...backlogs.map(([name, backlog, error]): Part => {
      const { waiting, parked, firstParked, oldestInMs } = backlog;
      const reasons = [
        ...(error === undefined ? [] : [`The store does not answer: ${error.message}`]),
        ...(parked === 0
          ? []
          : [`${parked === 1 ? "1 message is" : `${parked} messages are`} parked${because(firstParked)}`]),
        ...(oldestInMs < overdueAfterInMs
          ? []
          : [`The oldest of ${waiting} messages is due for ${Math.round(oldestInMs / 1000)} s`]),
      ];
      return reasons.length === 0
        ? { name, status: "healthy", backlog }
        : { name, status: "degraded", reason: reasons.join("; "), backlog };
    }),
  ];
}

function because(first: Backlog["firstParked"]): string {
  return first === undefined ? "" : `, the first of them, "${first.messageId}", for: ${first.error}`;
}

/** Nobody has said that it may be lost, and nobody would see it: what waits in a queue is no row of the outbox any more. */
function forgetfulTransport(part: Part, { queues }: Forgotten): Part {
  if (part.status !== "healthy" || queues.length === 0) return part;
  return {
    ...part,
    status: "degraded",
    reason: `It keeps the queue${queues.length === 1 ? "" : "s"} of ${list(queues)} in this process alone, and the ` +
      `store keeps what is sent only until it is there. Give the bus a transport: ` +
      `createBus({ store, transport: sqliteTransport(store) }), or postgresTransport(store) of such a store; ` +
      `or memory(), if what waits in queues may be lost`,
  };
}

/** Nobody has said that it may be lost, and nobody would see it: what comes later finds nothing, or is done twice. */
function forgetful(part: Part, { sagas, outboxes }: Forgotten): Part {
  const kept = [
    ...(sagas.length === 0 ? [] : [`the instances of ${list(sagas)}`]),
    ...(outboxes.length === 0 ? [] : [`the inbox and outbox of ${list(outboxes)}`]),
  ];
  if (kept.length === 0) return part;
  return {
    ...part,
    status: "degraded",
    reason: `It keeps ${kept.join(" and ")} in this process alone, and the broker keeps their messages for longer. ` +
      `Give the bus a store: createBus({ store: sqlite("app.db") }); or memoryStore(), if they may be lost`,
  };
}

function list(names: readonly string[]): string {
  return names.map((each) => `"${each}"`).join(", ");
}

function endpointPart({ services: { name }, state }: EndpointRuntime, now: number): Part {
  if (state.paused) return { name, status: "degraded", reason: "It is paused" };
  if (state.reason !== undefined) return { name, status: "degraded", reason: state.reason };
  const idle = now - state.progressAt;
  if (idle < stuckAfterInMs) return { name, status: "healthy" };
  return {
    name,
    status: "degraded",
    reason: `It has ${state.active + state.waiting} messages, and has finished none for ${Math.round(idle / 1000)} s`,
  };
}

function worst(parts: readonly Part[]): HealthStatus {
  if (parts.some(({ status }) => status === "unhealthy")) return "unhealthy";
  return parts.some(({ status }) => status === "degraded") ? "degraded" : "healthy";
}
