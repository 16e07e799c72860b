/** What handles which contract. @module */
import type { Kind } from "../contracts/contract.ts";
import type { Definition } from "../contracts/definition.ts";
import { type Reader, validator } from "../contracts/reading.ts";
import { Registry } from "../contracts/registry.ts";
import { DuplicateOwnerError } from "../errors/configuration.ts";
import type { Middleware } from "../pipeline/context.ts";
import { around } from "../pipeline/middleware.ts";
import { hasAnswerChecks } from "./answer.ts";
import type { MediatedContext } from "./mediated_context.ts";

/** A handler, with its middleware around it. Throws, or rejects, as it does; gives what it gives. */
export type Run = (message: unknown, context: MediatedContext) => unknown;

/** How messages of one contract are handled. */
export interface Plan {
  readonly definition: Definition;
  readonly kind: Kind;
  /** `undefined`: as it is. */
  readonly validate: Reader | undefined;
  readonly runs: readonly Run[];
  /** Of `runs`, the one that answers; −1: none. */
  readonly answering: number;
  /** Whether the reply has a schema, or is one of several. */
  readonly checksAnswer: boolean;
  /** The one handler of what needs no validation: then there is nothing to do but to call it. */
  readonly sole: Run | undefined;
}

/** A handler as it was added. */
interface Added {
  readonly definition: Definition;
  readonly run: Run;
  /** For errors. */
  readonly label: string;
  /** Counts all that are added. */
  readonly place: number;
}

/** Knows what handles which contract; works it out once for each, anew when something was added. */
export class Plans {
  readonly #registry = new Registry();
  readonly #added = new Map<Definition, Added[]>();
  readonly #middleware: Middleware[] = [];
  readonly #plans = new Map<unknown, Plan>();
  #places = 0;

  /**
   * Adds a handler.
   *
   * @throws {DuplicateOwnerError} if a command or query has one already
   * @throws {DuplicateContractError} if another contract has the same name and version
   */
  add(definition: Definition, label: string, run: Run): void {
    this.#registry.add(definition);
    const others = this.#added.get(definition) ?? [];
    const [owner] = others;
    if (owner !== undefined && definition.kind !== "event") {
      throw new DuplicateOwnerError(definition.name, [owner.label, label]);
    }
    this.#added.set(definition, [...others, { definition, run, label, place: this.#places++ }]);
    this.#plans.clear();
  }

  /** Adds middleware, inside of what there is. */
  use(middleware: Middleware): void {
    this.#middleware.push(middleware);
    this.#plans.clear();
  }

  /** The plan of a contract, if it has been made. Takes what the caller gave: nothing else is a key. */
  known(contract: unknown): Plan | undefined {
    return this.#plans.get(contract);
  }

  /**
   * Makes the plan of a contract.
   *
   * @throws {DuplicateContractError} if another contract has the same name and version
   */
  make(definition: Definition): Plan {
    this.#registry.add(definition);
    const added: Added[] = [];
    for (let at: Definition | undefined = definition; at !== undefined; at = at.base) {
      added.push(...this.#added.get(at) ?? []);
    }
    added.sort((a, b) => a.place - b.place);
    const middleware = [...this.#middleware];
    const runs = added.map(({ run }) => inside(middleware, run));
    const own = added.findIndex((each) => each.definition === definition);
    const validate = validator(definition, "send");
    const plan: Plan = {
      definition,
      kind: definition.kind,
      validate,
      runs,
      // The owner's base answers where the contract itself has no owner.
      answering: definition.kind === "event" ? -1 : Math.max(own, Math.min(0, runs.length - 1)),
      checksAnswer: hasAnswerChecks(definition),
      sole: validate === undefined && runs.length === 1 ? runs[0] : undefined,
    };
    this.#plans.set(definition, plan);
    return plan;
  }
}

/** Without middleware, the handler itself. */
function inside(middleware: readonly Middleware[], run: Run): Run {
  if (middleware.length === 0) return run;
  const chain = around<MediatedContext>(middleware, (context) => run(context.message, context));
  return (_, context) => chain(context);
}
