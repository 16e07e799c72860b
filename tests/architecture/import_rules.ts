/** Who may import whom among the published sources. */

/** The folders of `src/`: each imports only those before it. */
const order = [
  "errors",
  "values",
  "runtime",
  "spi",
  "contracts",
  "envelope",
  "leasing",
  "serialization",
  "encryption",
  "pipeline",
  "outbox",
  "sagas",
  "mediator",
  "bus",
  "routing_slips",
  "telemetry",
  "masstransit",
  "testing",
];
/** What a transport or a store is written against. */
const forPlugIns = new Set(["errors", "values", "envelope", "leasing", "spi"]);
/** Alone know what a bus is made of when nothing is said, and when it is under test. */
const compositionRoots: readonly string[] = ["src/bus/create_bus.ts", "src/testing/in_memory.ts"];

/** Where a file stands: `src/bus/bus.ts` in area `src`, folder `bus`. */
function place(file: string): { readonly area: string; readonly folder: string } {
  const [area = "", folder = "", ...rest] = file.split("/");
  return { area, folder: rest.length === 0 ? "" : folder };
}

/**
 * Why `from` may not import `to`; `undefined` if it may. Both are files of the repository, or `to` is a bare name.
 */
export function whyNot(from: string, to: string): string | undefined {
  if (to === "mod.ts" || to.startsWith("@hero/messaging")) return "nothing imports the entry point";
  if (to.startsWith("..")) return "it lies outside of the repository";
  if (!to.endsWith(".ts")) return whyNotPackage(from, to);
  if (from === "mod.ts") return undefined;
  const source = place(from);
  const target = place(to);
  if (target.area === "tests" || target.area === "bench" || target.area === "examples") {
    return `${target.area}/ is not published`;
  }
  switch (source.area) {
    case "src":
      return target.area === "src" ? whyNotBelow(source.folder, target.folder) : whyNotDefault(from, to);
    case "scheduling":
      if (target.area === "scheduling") return undefined;
      if (target.area !== "src") return "scheduling/ imports src/ alone";
      return order.indexOf(target.folder) <= order.indexOf("envelope")
        ? undefined
        : "scheduling/ imports src/ up to envelope";
    case "transports":
    case "stores":
      if (target.area === "src") {
        return forPlugIns.has(target.folder) ? undefined : `a plug-in imports src/{${[...forPlugIns]}} alone`;
      }
      if (target.area === source.area && target.folder === source.folder) return undefined;
      // A transport in a store's database shares its connections and its transactions; the store knows nothing of it.
      if (source.area === "transports" && target.area === "stores" && target.folder === source.folder) return undefined;
      return "a plug-in imports no other plug-in";
    default:
      return `"${source.area}" is no place for published sources`;
  }
}

function whyNotBelow(from: string, to: string): string | undefined {
  const [source, target] = [order.indexOf(from), order.indexOf(to)];
  if (source < 0) return `src/${from}/ has no place in the order of folders`;
  if (target < 0) return `src/${to}/ has no place in the order of folders`;
  return target <= source ? undefined : `src/${from}/ stands above src/${to}/`;
}

function whyNotDefault(from: string, to: string): string | undefined {
  if (!compositionRoots.includes(from)) {
    return `${compositionRoots.join(" and ")} alone know transports, stores and scheduling`;
  }
  const isDefault = to.startsWith("transports/memory/") || to.startsWith("stores/memory/") ||
    to.startsWith("scheduling/");
  return isDefault ? undefined : "a bus knows what lives in memory and no other plug-in";
}

function whyNotPackage(from: string, to: string): string | undefined {
  if (from.startsWith("src/runtime/") && to === "node:async_hooks") return undefined;
  if (to.startsWith("@std/")) return "tests and benches alone use the standard library";
  const { area, folder } = place(from);
  const isEntryPoint = (area === "transports" || area === "stores") && folder !== "memory" ||
    from.startsWith("src/telemetry/") || from.startsWith("scheduling/cron/") ||
    from.startsWith("src/serialization/msgpack/") || from.startsWith("src/serialization/protobuf/");
  return isEntryPoint ? undefined : "the core imports no package";
}

/**
 * Groups of modules that import one another, directly or round about.
 *
 * @param imports of every module by name; what is no key leads nowhere
 */
export function cycles(imports: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const found: (readonly string[])[] = [];
  const index = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const visit = (module: string) => {
    const own = index.size;
    let low = own;
    index.set(module, own);
    stack.push(module);
    for (const target of imports.get(module) ?? []) {
      if (!imports.has(target)) continue;
      if (!index.has(target)) {
        visit(target);
        low = Math.min(low, lowest.get(target) ?? low);
      } else if (stack.includes(target)) low = Math.min(low, index.get(target) ?? low);
    }
    lowest.set(module, low);
    if (low !== own) return;
    const group = stack.splice(stack.indexOf(module));
    if (group.length > 1 || imports.get(module)?.includes(module) === true) found.push(group.sort());
  };
  for (const module of imports.keys()) if (!index.has(module)) visit(module);
  return found;
}
