/** Where the library runs. @module */

/** The version of this package. */
export const version: string = "0.1.0";

/** Where code ran: what faults and errors name. */
export interface HostInfo {
  /** The machine's name; `"unknown"` unless the application gives it: no web standard tells. */
  readonly machine: string;
  /** The program's name; the runtime's where it is not known. */
  readonly process: string;
  /** 0 where the runtime does not tell. */
  readonly processId: number;
  /** The bus' name. */
  readonly bus: string;
  /** As in `Deno 2.9.6`. */
  readonly runtime: string;
  /** Of this package. */
  readonly version: string;
}

/** What the runtimes put there beyond web standards, each of which may be missing. */
interface Globals {
  readonly Deno?: { readonly pid?: unknown };
  readonly navigator?: { readonly userAgent?: unknown };
  readonly process?: { readonly pid?: unknown; readonly title?: unknown; readonly versions?: Versions };
}
type Versions = { readonly [runtime in "bun" | "node"]?: unknown };

/**
 * What can be known about this process without asking for a right or importing anything.
 *
 * @param bus its name
 * @param given what the application knows better, such as the machine's name
 */
export function hostInfo(bus: string, given: Partial<Omit<HostInfo, "bus" | "version">> = {}): HostInfo {
  const globals: Globals = globalThis as Globals;
  const runtime = given.runtime ?? runtimeName(globals);
  // Deno tells all of it by itself; its `process` is made when it is first read, which takes tens of milliseconds.
  const { Deno: deno } = globals;
  const title = deno === undefined ? read(() => globals.process?.title) : "deno";
  const pid = deno === undefined ? read(() => globals.process?.pid) : read(() => deno.pid);
  return {
    machine: given.machine ?? "unknown",
    process: given.process ?? (typeof title === "string" && title !== "" ? title : runtime),
    processId: given.processId ?? (typeof pid === "number" ? pid : 0),
    bus,
    runtime,
    version,
  };
}

function runtimeName(globals: Globals): string {
  const agent = read(() => globals.navigator?.userAgent);
  const deno = typeof agent === "string" ? /^Deno\/(\S+)/.exec(agent)?.[1] : undefined;
  if (deno !== undefined) return `Deno ${deno}`;
  // Bun tells a Node version, too, so it is asked first.
  for (const [key, name] of [["bun", "Bun"], ["node", "Node.js"]] as const) {
    const found = read(() => globals.process?.versions?.[key]);
    if (typeof found === "string") return `${name} ${found}`;
  }
  return typeof agent === "string" && agent !== "" ? agent : "unknown";
}

/** Some runtimes throw where a right is missing. */
function read(property: () => unknown): unknown {
  try {
    return property();
  } catch {
    return undefined;
  }
}
