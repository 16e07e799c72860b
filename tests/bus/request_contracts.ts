/** What is asked in the tests of requests. */
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { query } from "../../src/contracts/query.ts";
import { type Schema, type } from "../../src/values/schema.ts";

export interface ById {
  readonly id: string;
}
export const byId: ById = { id: "42" };
export const Get = query<ById, { readonly status: string; readonly at?: Date }>("orders.get");
export const Submit = command<ById>("orders.submit");
export const Charge = command<ById, { readonly receipt: string }>("orders.charge");
export const Found = event<{ readonly total: number }>("orders.found");
export const Missing = event<ById>("orders.missing");
export const Find = query("orders.find", { schema: type<ById>(), replies: { found: Found, missing: Missing } });

/** A schema of a type that says what is wrong. */
export function schema<T>(check: (value: T) => string | undefined): Schema<T> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => {
        const why = check(value as T);
        return why === undefined ? { value: value as T } : { issues: [{ message: why, path: ["total"] }] };
      },
    },
  };
}

// ---- Replies
