/** The contracts that one bus knows. @module */
import { DuplicateContractError } from "../errors/configuration.ts";
import { type Definition, withBases } from "./definition.ts";

/** The contracts that one bus knows, by name and version, and what derives from what. */
export class Registry {
  readonly #byName = new Map<string, Map<number, Definition>>();

  /**
   * Takes a contract in, with its bases; of a fault, what it is the fault of, too. Twice is once. All of it, or nothing.
   *
   * @throws {DuplicateContractError} if another contract has the same name and version
   * @throws {ConfigurationError} if the contract is its own base
   */
  add(definition: Definition): void {
    const seen = withBases(definition);
    if (definition.faultOf !== undefined) this.add(definition.faultOf);
    // All or none: a contract that is refused must not be found later.
    for (const each of seen) this.#check(each);
    for (const each of seen) this.#addOne(each);
  }

  #check(definition: Definition): void {
    const known = this.#byName.get(definition.name)?.get(definition.version);
    // Another loaded copy of the package makes the same contract's fault anew; of two contracts it cannot be: see `add`.
    if (known === undefined || known === definition || known.faultOf !== undefined) return;
    throw new DuplicateContractError(definition.name, definition.version);
  }

  #addOne(definition: Definition): void {
    let versions = this.#byName.get(definition.name);
    if (versions === undefined) this.#byName.set(definition.name, versions = new Map());
    versions.set(definition.version, definition);
  }

  /** The contract of that name and version, or the nearest one above it, else the highest; `undefined`: none. */
  find(name: string, version: number): Definition | undefined {
    const versions = this.#byName.get(name);
    if (versions === undefined) return undefined;
    const exact = versions.get(version);
    if (exact !== undefined) return exact;
    const sorted = [...versions.keys()].sort((a, b) => a - b);
    return versions.get(sorted.find((each) => each > version) ?? sorted.at(-1) ?? version);
  }

  /** All contracts, by name, then version. */
  *all(): Generator<Definition> {
    for (const [, versions] of [...this.#byName].sort(([a], [b]) => a < b ? -1 : 1)) {
      yield* [...versions.values()].sort((a, b) => a.version - b.version);
    }
  }
}
