/** How a bus is. @module */
import type { Backlog } from "../spi/telemetry.ts";
import type { Host, TransportCounts } from "../spi/transport.ts";
import type { Storage } from "../outbox/storage.ts";
import type { Health, HealthStatus } from "./control.ts";
import type { EndpointRuntime } from "./endpoint_runtime.ts";

/** How long an endpoint may have something to do without finishing anything. */
const stuckAfterInMs = 60_000;
/** How long what is due may wait in the store. */
const overdueAfterInMs = 60_000;

/** What a plug-in last said of itself. */
export type PluginStatus = Parameters<Host["status"]>[0];

type Part = Health["parts"][number];

/**
 * The health of a bus: its worst part's, but that one endpoint or a broker that is away only degrades it.
 *
 * @param sagas whose messages the broker keeps for longer than this process lives: their names
 */
export function healthOf(
  running: boolean,
  transport: readonly [name: string, status: PluginStatus, counts: TransportCounts | undefined],
  storage: Storage | undefined,
  endpoints: readonly EndpointRuntime[],
  sagas: readonly string[],
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
    transportPart(...transport),
    ...(storage?.opened === true ? storageParts(storage, sagas) : []),
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

function storageParts({ store, status, backlogs, given }: Storage, sagas: readonly string[]): readonly Part[] {
  const own = pluginPart(`store ${store.name}`, status);
  return [
    given || sagas.length === 0 || own.status !== "healthy" ? own : forgetful(own, sagas),
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

/** Nobody has said that instances may be lost, and nobody would see it: what comes for them later finds none. */
function forgetful({ name }: Part, sagas: readonly string[]): Part {
  return {
    name,
    status: "degraded",
    reason: `It keeps the instances of ${sagas.map((each) => `"${each}"`).join(", ")} in this process alone, and the ` +
      `broker keeps their messages for longer. Give the bus a store: createBus({ store: sqlite("app.db") }); ` +
      `or memoryStore(), if they may be lost`,
  };
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
