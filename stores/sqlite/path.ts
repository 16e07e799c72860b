/** The path of a file, as an application gives it. @module */

/** Why this cannot be the path of a file, as far as it shows; `undefined`: it can. Tells no more of a URL than its kind. */
export function faultOf(path: string): string | undefined {
  if (path === "" || path.startsWith(":memory:")) return `"${path}" is no file`;
  const [scheme] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(path) ?? [];
  // SQLite takes URLs of files.
  if (scheme === undefined || scheme.toLowerCase() === "file://") return undefined;
  return `what begins with ${scheme} is a URL, and no file`;
}
