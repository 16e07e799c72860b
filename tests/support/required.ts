/** What tests need of the machine. */
import process from "node:process";

/**
 * Why tests are skipped, where that is allowed: a run that must test all (`HERO_SERVICES=required`, as CI does) has not
 * done so if it skips some in silence.
 *
 * @param missing what is not there; `undefined`: nothing
 * @throws if something is missing, and everything is required
 */
export function skipUnlessRequired(missing: string | undefined): string | undefined {
  if (missing !== undefined && process.env["HERO_SERVICES"] === "required") {
    throw new Error(`Tests cannot run that must: ${missing}`);
  }
  return missing;
}
