/** Many elements' types as one, where that says the same of each. @module */
import type { TypeTree } from "./type_tree.ts";

/** An object with more typed properties than this may be a record by key: then `*` says it shorter. */
const recordSize = 8;

/**
 * The tree of an array or object.
 *
 * @param children the typed ones by key
 * @param container as JSON, all values written
 */
export function mergeChildren(children: ReadonlyMap<string, TypeTree>, container: object): TypeTree {
  if (!Array.isArray(container) && children.size <= recordSize) return { keys: children };
  const all = unionOf(children);
  return all !== undefined && allowsAll(all, { keys: children }, container) ? { all } : { keys: children };
}

function unionOf(children: ReadonlyMap<string, TypeTree>): TypeTree | undefined {
  let union: TypeTree | undefined;
  for (const child of children.values()) {
    union = union === undefined ? child : unite(union, child);
    if (union === undefined) return undefined;
  }
  return union;
}

/** What both say; `undefined` if they contradict each other. Whether it holds for every value is not looked at here. */
function unite(one: TypeTree, other: TypeTree): TypeTree | undefined {
  if (one === other) return one;
  if (one.kind !== undefined && other.kind !== undefined && one.kind !== other.kind) return undefined;
  const kind = one.kind ?? other.kind;
  const some = one.all ?? other.all;
  if (some !== undefined) {
    let all: TypeTree | undefined = some;
    for (const child of [...childrenOf(one), ...childrenOf(other)]) {
      all = unite(all, child);
      if (all === undefined) return undefined;
    }
    return { kind, all };
  }
  if (one.keys === undefined || other.keys === undefined) return { kind, keys: one.keys ?? other.keys };
  const keys = new Map(one.keys);
  for (const [key, child] of other.keys) {
    const present = keys.get(key);
    const united = present === undefined ? child : unite(present, child);
    if (united === undefined) return undefined;
    keys.set(key, united);
  }
  return { kind, keys };
}

function childrenOf(tree: TypeTree): Iterable<TypeTree> {
  return tree.all !== undefined ? [tree.all] : tree.keys?.values() ?? [];
}

/** Whether `union` says of `value` what its `own` tree says. Where it says more, the value is `null` or not there. */
function allows(union: TypeTree, own: TypeTree | undefined, value: unknown): boolean {
  if (value === null || union === own) return true;
  if (union.kind !== own?.kind) return false;
  if (typeof value !== "object") return true;
  if (union.all !== undefined) return allowsAll(union.all, own, value);
  if (union.keys === undefined) return true;
  for (const [key, child] of union.keys) {
    if (Object.hasOwn(value, key) && !allows(child, typeOf(own, key), (value as Record<string, unknown>)[key])) {
      return false;
    }
  }
  return true;
}

function allowsAll(all: TypeTree, own: TypeTree | undefined, container: object): boolean {
  for (const key of Object.keys(container)) {
    if (!allows(all, typeOf(own, key), (container as Record<string, unknown>)[key])) return false;
  }
  return true;
}

function typeOf(own: TypeTree | undefined, key: string): TypeTree | undefined {
  return own?.all ?? own?.keys?.get(key);
}
