/** How PostgreSQL runs a statement. */
import type { Sql } from "postgres";
import type { Statement } from "../../../stores/postgres/statement.ts";

/** A step of it, and what that took. */
export interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  /** As the planner counts, of it and all below. */
  readonly "Total Cost": number;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly Plan[];
}

/** What is given to a statement that is executed by its name. */
export function listOf(values: Statement["values"]): string {
  const given = values.map((value) =>
    value === null ? "NULL" : `'${value instanceof Uint8Array ? "\\x" : String(value).replaceAll("'", "''")}'`
  );
  return given.length === 0 ? "" : `(${given.join(", ")})`;
}

/** The steps of what EXPLAIN gave as JSON. */
export function stepsOf(explained: unknown): readonly Plan[] {
  const all: Plan[] = [];
  const walk = (plan: Plan): void => {
    all.push(plan);
    plan.Plans?.forEach(walk);
  };
  for (const { Plan } of explained as readonly { readonly Plan: Plan }[]) walk(Plan);
  return all;
}

/**
 * How a statement is run, step by step. Undoes what it does.
 *
 * @param kept whether as by an application that has run it often: for any values
 */
export async function planOf(sql: Sql, { text, values }: Statement, kept = true): Promise<readonly Plan[]> {
  const found = await sql.begin(async (tx) => {
    await tx.unsafe(`SET LOCAL plan_cache_mode = force_${kept ? "generic" : "custom"}_plan`);
    await tx`SELECT set_config('hero.freed', '[["app","hot"]]', true)`;
    await tx.unsafe(`PREPARE each AS ${text}`);
    const [row] = await tx.unsafe(`EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE each${listOf(values)}`);
    await tx`DEALLOCATE each`;
    await tx`SAVEPOINT undo`.catch(() => {});
    throw Object.assign(new Error("undone"), { plan: row?.["QUERY PLAN"] });
  }).catch((error) => {
    if (error.plan === undefined) throw error;
    return error.plan;
  });
  return stepsOf(found);
}

/** How many rows a step has read. */
export function readBy(plan: Plan): number {
  return (plan["Actual Rows"] + (plan["Rows Removed by Filter"] ?? 0)) * plan["Actual Loops"];
}

/** Whether it reads a table from end to end. */
export function isWhole(plan: Plan): boolean {
  return plan["Node Type"] === "Seq Scan" && plan["Relation Name"] !== undefined;
}
