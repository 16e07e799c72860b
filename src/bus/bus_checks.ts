/** What a bus is refused for when it is made: types tell of it, but not in JavaScript, nor where they were cast away. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import type { NamingPolicy } from "../pipeline/routing.ts";
import type { BusOptions } from "./bus_options.ts";

const namingNames: OptionNames<NamingPolicy> = { topic: true, queue: true, extensions: true };

/** What each plug-in must be able to do, and where one is to be had. */
const plugins = {
  transport: [["receive"], "Give what memory(), rabbitmq(), sqliteTransport() or postgresTransport() makes"],
  store: [["tx"], "Give what memoryStore(), sqlite() or postgres() makes"],
  serializer: [["serialize", "deserialize"], "Give what jsonSerializer() makes, or one of your own, or leave it out"],
  telemetry: [["send", "receive", "process", "settle"], "Give an object with these four functions, or leave it out"],
  clock: [["now", "at"], "Give an object with these two functions, or leave it out: the system's is taken"],
} as const;

/** What each list holds, and what each of that must be able to do. */
const lists = {
  contracts: [[], "contracts: [OrderSubmitted]"],
  serializers: [["serialize", "deserialize"], "serializers: [jsonSerializer()]"],
  transforms: [["apply", "restore"], "transforms: [encryption]"],
} as const;

/**
 * Refuses options of a bus that are not what they should be. Its name has been checked.
 *
 * @throws {ConfigurationError} which names the option
 */
export function checkBusOptions(options: BusOptions<unknown>): void {
  const { name, deploy = "apply", routes, naming, newId, random } = options;
  const refuse = (option: string, why: string): never => {
    throw new ConfigurationError(`Cannot use the { ${option} } of the bus "${name}": ${why}`, { details: { option } });
  };
  for (const option of ["transport", "store", "serializer", "telemetry", "clock"] as const) {
    const [functions, instead] = plugins[option];
    if (options[option] !== undefined && !can(options[option], functions)) {
      const wants = functions.length > 1 ? `, as it lacks some of { ${functions.join(", ")} }` : "";
      refuse(option, `it is none${wants}. ${instead}`);
    }
  }
  for (const option of ["contracts", "serializers", "transforms"] as const) {
    const [functions, example] = lists[option];
    const given: unknown = options[option];
    if (given === undefined) continue;
    if (!Array.isArray(given)) refuse(option, `they are no list. Give one, as in ${example}`);
    else if (functions.length > 0 && !given.every((each) => can(each, functions))) {
      refuse(option, `one of them is none, as it lacks some of { ${functions.join(", ")} }`);
    }
  }
  for (const [option, value] of [["newId", newId], ["random", random]] as const) {
    if (value !== undefined && typeof value !== "function") refuse(option, `${shown(value)} is no function`);
  }
  if (routes !== undefined) checkRoutes(routes, (why) => refuse("routes", why));
  if (naming !== undefined) checkNaming(naming, name, (why) => refuse("naming", why));
  if (deploy !== "apply" && deploy !== "check") {
    throw new ConfigurationError(
      `Cannot use { deploy: ${shown(deploy)} } for the bus "${name}": start() can "apply" or "check". ` +
        `For a plan, call bus.deploy("plan")`,
    );
  }
}

function checkRoutes(routes: object, refuse: (why: string) => never): void {
  const example = `Write { "queue:orders": [SubmitOrder] }`;
  if (typeof routes !== "object" || routes === null || Array.isArray(routes)) {
    refuse(`they are no object of lists by address. ${example}`);
  }
  for (const [address, contracts] of Object.entries(routes)) {
    if (!Array.isArray(contracts)) refuse(`what is routed to ${shown(address)} is no list. ${example}`);
  }
}

function checkNaming(naming: NamingPolicy, bus: string, refuse: (why: string) => never): void {
  checkOptionNames(naming, namingNames, `{ naming } of the bus "${bus}"`);
  for (const [what, value] of [["topic", naming.topic], ["queue", naming.queue]] as const) {
    if (value === undefined || typeof value === "function") continue;
    refuse(`its ${what} is no function. Give one that gives the name, or leave it out`);
  }
  if (naming.extensions !== undefined && !Array.isArray(naming.extensions)) refuse(`its extensions are no list`);
}

/** Whether something has these functions: as an object has, or a class. */
function can(given: unknown, functions: readonly string[]): boolean {
  if (typeof given !== "object" || given === null) return false;
  return functions.every((each) => typeof Reflect.get(given, each) === "function");
}
