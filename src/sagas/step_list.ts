/** Collects the steps of a rule. @module */
import type { Contract, Kind } from "../contracts/contract.ts";
import { definitionOf } from "../contracts/definition.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { checkRetryPolicy, type RetryPolicy } from "../pipeline/retry.ts";
import { milliseconds } from "../values/duration.ts";
import type { ErrorClass } from "../values/error_class.ts";
import type { Role } from "./correlation.ts";
import type {
  BranchStep,
  CatchStep,
  RaiseStep,
  RequestStep,
  RespondStep,
  ScheduleStep,
  SendStep,
  Step,
  ThenStep,
} from "./definition.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** `Steps`, `Sequence` and `RequestOutcome` without their types. */
type AnySequence = (steps: StepList) => unknown;
interface AnyOutcome {
  readonly timeout: Parameters<typeof milliseconds>[0];
  readonly pending?: string;
  readonly completed: AnySequence;
  readonly faulted: AnySequence;
  readonly timedOut: AnySequence;
}

/** A step gets its key where its rule is placed. */
const key = "";

/**
 * What stands behind `Steps`: the methods are the same, and the types that make sure of what they are given are there.
 * Whatever reaches this from JavaScript is checked here.
 */
export class StepList {
  readonly role: Role;
  readonly steps: Step[] = [];
  readonly #words: Vocabulary;
  readonly #where: string;

  /** @param where as in `a rule for "paid"` */
  constructor(words: Vocabulary, where: string, role: Role) {
    this.#words = words;
    this.#where = where;
    this.role = role;
  }

  then(run: ThenStep["run"]): this {
    return this.#add({ kind: "then", key, run: this.#called(run, "then", "what to do") });
  }
  publish(event: Contract, make: SendStep["make"]): this {
    const contract = this.#contract(event, "publish", ["event"]);
    return this.#add({ kind: "publish", key, contract, make: this.#called(make, "publish", "the message") });
  }
  send(command: Contract, make: SendStep["make"]): this {
    const contract = this.#contract(command, "send", ["command"]);
    return this.#add({ kind: "send", key, contract, make: this.#called(make, "send", "the message") });
  }
  respond(make: RespondStep["make"]): this {
    return this.#add({ kind: "respond", key, make: this.#called(make, "respond", "the answer") });
  }
  request(asked: Contract, make: RequestStep["make"], outcome: AnyOutcome): this {
    const contract = this.#contract(asked, "request", ["command", "query"]);
    this.#called(make, "request", "the message");
    if (typeof outcome !== "object" || outcome === null) {
      throw this.#refused("request", "the outcome is missing", "Give { timeout, completed, faulted, timedOut }");
    }
    const timeoutInMs = milliseconds(outcome.timeout, `{ timeout } of .request() in ${this.#where}`);
    if (timeoutInMs === 0) {
      throw this.#refused("request", "its timeout is 0", "Give it time, as in { timeout: " + '"30s"' + " }");
    }
    const { pending } = outcome;
    if (pending !== undefined) this.#words.checkState(pending, this.#where);
    const { completed, faulted, timedOut } = outcome;
    return this.#add({
      kind: "request",
      key,
      contract,
      make,
      timeoutInMs,
      pending,
      completed: this.#inner(completed, "completed"),
      faulted: this.#inner(faulted, "faulted"),
      timedOut: this.#inner(timedOut, "timedOut"),
      answers: false, // said where it is placed
    });
  }
  transitionTo(state: string): this {
    return this.#add({ kind: "transition", key, state: this.#words.checkState(state, this.#where) });
  }
  finalize(): this {
    return this.#add({ kind: "finalize", key });
  }
  schedule(timeout: string, when?: ScheduleStep["when"]): this {
    this.#words.checkTimeout(timeout, this.#where);
    if (when !== undefined) this.#called(when, "schedule", "a duration or a time");
    return this.#add({ kind: "schedule", key, timeout, when });
  }
  unschedule(timeout: string): this {
    return this.#add({ kind: "unschedule", key, timeout: this.#words.checkTimeout(timeout, this.#where) });
  }
  raise(event: string, make: RaiseStep["make"]): this {
    this.#words.checkEvent(event, this.#where);
    return this.#add({ kind: "raise", key, event, make: this.#called(make, "raise", "the message") });
  }
  if(condition: (context: never) => boolean, then: AnySequence): this {
    return this.#branch("if", chosenBy(this.#called(condition, "if", "true or false")), { then });
  }
  ifElse(condition: (context: never) => boolean, then: AnySequence, otherwise: AnySequence): this {
    const select = chosenBy(this.#called(condition, "ifElse", "true or false"));
    return this.#branch("ifElse", select, { then, else: otherwise });
  }
  switch(select: BranchStep["select"], cases: Readonly<Record<string, AnySequence>>): this {
    this.#called(select, "switch", "the name of a case");
    if (typeof cases !== "object" || cases === null || Object.keys(cases).length === 0) {
      throw this.#refused("switch", "it has no cases", "Give an object of them, by what the first function returns");
    }
    return this.#branch("switch", select, cases);
  }
  run(sequence: AnySequence): this {
    return this.#add({ kind: "sequence", key, steps: this.#inner(sequence, "run") });
  }
  retry(policy: RetryPolicy, steps: AnySequence): this {
    checkRetryPolicy(policy, `${this.#where} of the saga "${this.#words.saga}"`);
    return this.#add({ kind: "retry", key, policy, steps: this.#inner(steps, "retry") });
  }
  catch(error: ErrorClass, steps: AnySequence): this {
    if (typeof error !== "function" || typeof error.prototype !== "object") {
      throw this.#refused("catch", `${shown(error)} is no class of errors`, "Give one, as in RangeError");
    }
    const type: CatchStep["error"] = error;
    return this.#add({ kind: "catch", key, error: type, steps: this.#inner(steps, "catch") });
  }
  compensateWith(name: string, undo: AnySequence): this {
    if (typeof name !== "string" || name === "") {
      throw this.#refused("compensateWith", `${shown(name)} is no name`, 'Give the undo one, as in "payment"');
    }
    return this.#add({ kind: "compensateWith", key, name, undo: this.#inner(undo, "compensateWith") });
  }
  compensate(options: { readonly downTo?: string } = {}): this {
    if (options.downTo !== undefined) this.#words.points.push(options.downTo);
    return this.#add({ kind: "compensate", key, downTo: options.downTo });
  }

  #add(step: Step): this {
    this.#words.checkOpen(this.#where);
    this.steps.push(step);
    return this;
  }
  #branch(name: string, select: BranchStep["select"], cases: Readonly<Record<string, AnySequence>>): this {
    const made = Object.entries(cases).map(([each, steps]) => [each, this.#inner(steps, name)] as const);
    return this.#add({ kind: "branch", key, select, cases: new Map(made) });
  }
  /** The steps of a branch. A function is called once: what it gives is the same wherever it is used. */
  #inner(sequence: AnySequence, method: string): readonly Step[] {
    this.#called(sequence, method, "steps");
    const known = this.#words.sequences.get(sequence);
    if (known !== undefined) return known;
    const list = new StepList(this.#words, this.#where, this.role);
    const returned = sequence(list);
    if (returned !== list) {
      throw this.#refused(method, "its steps do not return the steps that they were given", "Write (steps) => steps.…");
    }
    this.#words.sequences.set(sequence, list.steps);
    return list.steps;
  }
  #called<F>(given: F, method: string, gives: string): F {
    if (typeof given === "function") return given;
    throw this.#refused(method, `${shown(given)} is no function`, `Give one that gives ${gives}`);
  }
  #contract(given: unknown, method: string, kinds: readonly Kind[]): Contract {
    const contract = definitionOf(given, `what ${this.#where} of the saga "${this.#words.saga}" is to ${method}`);
    if (kinds.includes(contract.kind)) return contract;
    const instead = { command: "send or request", event: "publish", query: "request" }[contract.kind];
    throw this.#refused(method, `"${contract.name}" is of the kind "${contract.kind}"`, `Use ${instead}`);
  }
  #refused(method: string, why: string, next: string): ConfigurationError {
    return new ConfigurationError(
      `Cannot use .${method}() in ${this.#where} of the saga "${this.#words.saga}": ${why}. ${next}`,
    );
  }
}

function chosenBy(condition: (context: never) => boolean): BranchStep["select"] {
  return (context) => condition(context) ? "then" : "else";
}
