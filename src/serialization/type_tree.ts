/**
 * Which values of a JSON tree stand for what JSON lacks, and that as text: `placedAt=date,lines.*.price=bigint`.
 *
 * The text is a list of `path=kind`, joined by commas. A path's segments are keys and indices, joined by dots; `*` is
 * every element of an array, or every value of an object; the empty path is the value itself. `null`, and what is not
 * there, is passed over. In a key, all but `A-Z a-z 0-9 - _` is percent-encoded as UTF-8; the empty key is `%`.
 *
 * @module
 */
import { UnreadableMessageError } from "../errors/receiving.ts";

/** What a JSON value stands for: `bytes` is a `Uint8Array`, `buffer` an `ArrayBuffer`. */
export type Kind = "date" | "bigint" | "bytes" | "buffer" | "map" | "set";

const kinds: ReadonlySet<string> = new Set<Kind>(["date", "bigint", "bytes", "buffer", "map", "set"]);

/** Of one value. Has `all` or `keys`, never both: so every value is reached once, however the text is made. */
export interface TypeTree {
  readonly kind?: Kind | undefined;
  /** Of every element or property. */
  readonly all?: TypeTree | undefined;
  /** Of single ones, by key or index. */
  readonly keys?: ReadonlyMap<string, TypeTree> | undefined;
}

/** Writes a tree as text. */
export function formatTypes(tree: TypeTree): string {
  const entries: string[] = [];
  format(tree, "", entries);
  return entries.join(",");
}

function format(tree: TypeTree, path: string, entries: string[]): void {
  if (tree.kind !== undefined) entries.push(`${path}=${tree.kind}`);
  const before = path === "" ? "" : `${path}.`;
  if (tree.all !== undefined) format(tree.all, `${before}*`, entries);
  if (tree.keys !== undefined) {
    for (const [key, child] of tree.keys) format(child, before + escapeKey(key), entries);
  }
}

function escapeKey(key: string): string {
  if (key === "") return "%";
  return /^[\w-]+$/.test(key) ? key : encodeURIComponent(key).replace(/[.!~*'()]/g, percent);
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

interface MutableTree {
  kind?: Kind | undefined;
  all?: MutableTree | undefined;
  keys?: Map<string, MutableTree> | undefined;
}

/**
 * Reads the text of a tree.
 *
 * @param maxDepth the most segments of a path
 * @throws {UnreadableMessageError} if it is malformed, names a kind that is unknown, or contradicts itself
 */
export function parseTypes(text: string, maxDepth: number): TypeTree {
  const root: MutableTree = {};
  for (const entry of text.split(",")) {
    const equals = entry.indexOf("=");
    if (equals < 0) throw unreadable(entry, "has no kind");
    const kind = entry.slice(equals + 1);
    if (!kinds.has(kind)) throw unreadable(entry, "names a kind of value that is unknown here");
    const tree = equals === 0 ? root : descend(root, entry, entry.slice(0, equals), maxDepth);
    if (tree.kind !== undefined) throw unreadable(entry, "stands twice");
    tree.kind = kind as Kind; // one of the set
  }
  return root;
}

function descend(root: MutableTree, entry: string, path: string, maxDepth: number): MutableTree {
  const segments = path.split(".", maxDepth + 1);
  if (segments.length > maxDepth) throw unreadable(entry, `goes deeper than ${maxDepth} levels`);
  let tree = root;
  for (const segment of segments) {
    if (segment === "*") {
      if (tree.keys !== undefined) throw unreadable(entry, `has "*" where others name keys`);
      tree = tree.all ??= {};
    } else {
      if (tree.all !== undefined) throw unreadable(entry, `names a key where others have "*"`);
      const key = unescapeKey(segment, entry);
      tree.keys ??= new Map();
      let child = tree.keys.get(key);
      if (child === undefined) tree.keys.set(key, child = {});
      tree = child;
    }
  }
  return tree;
}

function unescapeKey(segment: string, entry: string): string {
  if (/^[\w-]+$/.test(segment)) return segment;
  if (segment === "%") return "";
  if (!/^(?:[\w-]|%[0-9A-F]{2})+$/.test(segment)) {
    throw unreadable(entry, "has a key that is not escaped as it should be");
  }
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw unreadable(entry, "has a key that is not UTF-8", { cause });
  }
}

function unreadable(entry: string, why: string, options?: ErrorOptions): UnreadableMessageError {
  return new UnreadableMessageError(`its types header is malformed: ${quote(entry)} ${why}`, options);
}

/** Foreign text in a message: short, and without what a log or a header cannot show. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
