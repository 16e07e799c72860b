/** How a bus is. @module */
import type { Host } from "../spi/transport.ts";
import type { Health, HealthStatus } from "./control.ts";
import type { EndpointRuntime } from "./endpoint_runtime.ts";

/** How long an endpoint may have something to do without finishing anything. */
const stuckAfterInMs = 60_000;

/** What a plug-in last said of itself. */
export type PluginStatus = Parameters<Host["status"]>[0];

type Part = Health["parts"][number];

/** The health of a bus: its worst part's, but that one endpoint or a broker that is away only degrades it. */
export function healthOf(
  running: boolean,
  plugins: readonly (readonly [name: string, status: PluginStatus])[],
  endpoints: readonly EndpointRuntime[],
  now: number,
): Health {
  if (!running) {
    return { status: "unhealthy", parts: [{ name: "bus", status: "unhealthy", reason: "It is not started" }] };
  }
  const parts: Part[] = [
    ...plugins.map(([name, status]) => pluginPart(name, status)),
    ...endpoints.map((endpoint) => endpointPart(endpoint, now)),
  ];
  return { status: worst(parts), parts };
}

function pluginPart(name: string, { state, cause }: PluginStatus): Part {
  if (state === "up") return { name, status: "healthy" };
  return { name, status: state === "down" ? "unhealthy" : "degraded", reason: cause?.message ?? `It is ${state}` };
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
