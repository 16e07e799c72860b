/** Makes the definition of a saga of what was written. @module */
import { definitionOf } from "../contracts/definition.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { checkName } from "../values/destination.ts";
import { type Duration, milliseconds } from "../values/duration.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import { isSchema } from "../values/schema.ts";
import { correlatedBy, type Correlation, correlations } from "./correlation.ts";
import {
  type EventDefinition,
  finalState,
  initialState,
  type RuleDefinition,
  type SagaDefinition,
  type Unhandled,
} from "./definition.ts";
import { keyed } from "./keys.ts";
import type { SagaOptions } from "./options.ts";
import { RuleBook } from "./rule_book.ts";
import { Vocabulary } from "./vocabulary.ts";

const optionNames: OptionNames<SagaOptions<object, string, unknown, string, never>> = {
  data: true,
  states: true,
  requires: true,
  indexes: true,
  events: true,
  timeouts: true,
  version: true,
  upgrades: true,
  history: true,
  finalized: true,
  concurrency: true,
};

/** The options of a saga, before anything about them is known. */
export type GivenOptions = Readonly<Record<string, unknown>>;

/**
 * Checks and compiles a saga.
 *
 * @throws {InvalidNameError} if the name cannot be that of a queue
 * @throws {ConfigurationError} for anything else that cannot work
 */
export function buildSaga(name: unknown, options: unknown, write: unknown): SagaDefinition {
  const saga = checkName("a saga", name);
  if (typeof options !== "object" || options === null || typeof write !== "function") {
    throw new ConfigurationError(
      `Cannot make the saga "${saga}": it needs options and a function that gives its rules. ` +
        `Write saga("${saga}", { data, states, events }, ({ initially, when }) => […])`,
    );
  }
  checkOptionNames(options, optionNames, `the saga "${saga}"`);
  const given: GivenOptions = { ...options };
  const refused = (what: string, why: string, next: string) =>
    new ConfigurationError(`Cannot use the ${what} of the saga "${saga}": ${why}. ${next}`);

  const { data } = given;
  if (!isSchema(data)) throw refused("data", "it is not a Standard Schema", "Give one, as zod's, or type<…>()");
  const states = statesOf(given["states"], refused);
  if (Array.isArray(given["timeouts"])) {
    throw refused("timeouts", "they are a list", `Write timeouts: { paymentDue: "15m" }`);
  }
  const timeouts = new Map(
    Object.entries(given["timeouts"] ?? {}).map(([timeout, length]) => [
      checkKey(timeout, "timeouts", refused),
      milliseconds(length as Duration, `the timeout "${timeout}" of the saga "${saga}"`), // which checks it
    ]),
  );
  const events = eventsOf(saga, given["events"], refused);
  const words = new Vocabulary(saga, states, [...events.keys()], [...timeouts.keys()]);
  const book = new RuleBook(words, events);
  book.check(write(book));
  words.close();
  const { rules, requests, undos } = keyed(saga, book.placed);
  checkMissing(events, rules, refused);
  const downTo = words.points.find((each) => !undos.has(each));
  if (downTo !== undefined) {
    throw refused("rules", `compensate goes down to ${shown(downTo)}, which no undo is called`, "Name one that is");
  }
  const version = versionOf(given["version"], refused);
  return Object.freeze({
    name: saga,
    version,
    data,
    upgrades: upgradesOf(given["upgrades"], version, refused),
    states,
    requires: requiresOf(given["requires"], states, refused),
    indexes: textsOf(given["indexes"] ?? [], "indexes", refused),
    timeouts,
    events,
    rules,
    requests,
    undos,
    completedWhen: book.decisions.completedWhen,
    // Checked by the book, or by the machine when it is asked.
    onUnhandled: (book.decisions.onUnhandled ?? "fault") as Unhandled | ((context: never, event: string) => Unhandled),
    history: oneOf(given["history"], [false, true], "history", refused),
    finalized: oneOf(given["finalized"], ["removed", "archived"], "finalized", refused),
    concurrency: oneOf(given["concurrency"], ["optimistic", "pessimistic"], "concurrency", refused),
  });
}

type Refuse = (what: string, why: string, next: string) => ConfigurationError;

function statesOf(given: unknown, refused: Refuse): readonly string[] {
  const states = textsOf(given, "states", refused);
  for (const state of states) {
    if (state === initialState || state === finalState) {
      throw refused(
        "states",
        `"${state}" is the library's own`,
        "Every saga has it; leave it out, or name it differently",
      );
    }
    if (state.split(".").includes("")) {
      throw refused("states", `${shown(state)} has an empty part`, `Write a sub-state as in "processing.packing"`);
    }
    const parent = state.slice(0, Math.max(0, state.lastIndexOf(".")));
    if (parent !== "" && !states.includes(parent)) {
      throw refused("states", `"${state}" is a sub-state of "${parent}", which is none`, `Add "${parent}"`);
    }
  }
  return states;
}

function textsOf(given: unknown, what: string, refused: Refuse): readonly string[] {
  if (!Array.isArray(given)) throw refused(what, `${shown(given)} is no list`, "Give a list of names");
  const names = given.map((each: unknown) => checkKey(each, what, refused));
  const twice = names.find((each, at) => names.indexOf(each) !== at);
  if (twice !== undefined) throw refused(what, `"${twice}" is there twice`, "Name each once");
  return names;
}

function requiresOf(given: unknown, states: readonly string[], refused: Refuse): SagaDefinition["requires"] {
  return new Map(
    Object.entries(given ?? {}).map(([state, properties]) => {
      if (states.includes(state)) return [state, textsOf(properties, "requires", refused)];
      throw refused("requires", `there is no state "${state}"`, `It has ${states.map(shown).join(", ") || "none"}`);
    }),
  );
}

function checkKey(name: unknown, what: string, refused: Refuse): string {
  if (typeof name !== "string" || name === "") throw refused(what, `${shown(name)} is no name`, "Give each a text");
  // Instances are plain data, whose properties are named by these.
  if (!(name in Object.prototype)) return name;
  throw refused(what, `"${name}" is a property of every object`, "Name it differently");
}

function eventsOf(saga: string, given: unknown, refused: Refuse): ReadonlyMap<string, EventDefinition> {
  if (typeof given !== "function") throw refused("events", "they are no function", "Write events: (on) => ({ … })");
  const made: unknown = given(correlations(saga));
  if (typeof made !== "object" || made === null) throw refused("events", "there are none", "Return an object of them");
  const events = new Map<string, EventDefinition>();
  const owners = new Map<unknown, string>();
  for (const [name, correlation] of Object.entries(made)) {
    const by = correlatedBy(correlation);
    if (by === undefined) {
      throw refused("events", `"${name}" is not correlated`, `Write ${name}: on(Contract, (message) => message.id)`);
    }
    const { contract } = correlation as Correlation; // only those have `by`
    const other = owners.get(definitionOf(contract, `the contract of "${name}"`));
    if (other !== undefined) {
      throw refused(
        "events",
        `"${other}" and "${name}" are both "${contract.name}"`,
        "Correlate a contract once, and tell its messages apart with the filter of when",
      );
    }
    owners.set(contract, name);
    events.set(checkKey(name, "events", refused), { name, contract, by });
  }
  return events;
}

function checkMissing(
  events: ReadonlyMap<string, EventDefinition>,
  rules: readonly RuleDefinition[],
  refused: Refuse,
): void {
  for (const { name, by } of events.values()) {
    if (by.kind === "start" || by.onMissing !== "run") continue;
    const found = rules.some(({ scope, trigger }) =>
      scope === "missing" && trigger.on === "event" && trigger.event === name
    );
    if (found) continue;
    throw refused(
      "events",
      `"${name}" has { onMissing: "run" } and nothing to run`,
      `Add whenMissing("${name}") to initially`,
    );
  }
}

function versionOf(given: unknown, refused: Refuse): number {
  if (given === undefined) return 1;
  if (typeof given === "number" && Number.isSafeInteger(given) && given >= 1) return given;
  throw refused("version", `it is ${shown(given)}`, "Give a whole number from 1");
}

function upgradesOf(given: unknown, version: number, refused: Refuse): SagaDefinition["upgrades"] {
  const upgrades = new Map<number, (data: unknown) => unknown>();
  for (const [from, upgrade] of Object.entries(given ?? {})) {
    if (!/^[1-9]\d{0,8}$/.test(from) || Number(from) >= version) {
      throw refused(
        "upgrades",
        `there is one from version ${from} to one behind ${version}`,
        "Raise { version }, or take it out",
      );
    }
    if (typeof upgrade !== "function") {
      throw refused("upgrades", `that from version ${from} is no function`, "Give one from the old data to the new");
    }
    upgrades.set(Number(from), upgrade);
  }
  // What an instance of an older version needs is all of them from its own on.
  const oldest = Math.min(version, ...upgrades.keys());
  for (let from = oldest; from < version; from++) {
    if (!upgrades.has(from)) {
      throw refused(
        "upgrades",
        `none reads version ${from}`,
        `Add { ${from}: (old) => … }, or take out those before it`,
      );
    }
  }
  return upgrades;
}

/** The first is the default. */
function oneOf<const T>(given: unknown, known: readonly [T, ...T[]], what: string, refused: Refuse): T {
  if (given === undefined) return known[0];
  const found = known.find((each) => each === given);
  if (found !== undefined) return found;
  throw refused(what, `it is ${shown(given)}`, `Say one of ${known.map((each) => shown(each)).join(", ")}`);
}
