/** What every store promises, as cases: `src/spi/store.ts` in words, this in deeds. */
import { contentCases } from "./store/content_cases.ts";
import { dueCases } from "./store/due_cases.ts";
import { inboxCases } from "./store/inbox_cases.ts";
import { leaseCases } from "./store/lease_cases.ts";
import { lifecycleCases } from "./store/lifecycle_cases.ts";
import { modelCases } from "./store/model_cases.ts";
import { orderCases } from "./store/order_cases.ts";
import { sagaCases } from "./store/saga_cases.ts";
import { sagaFindingCases } from "./store/saga_finding_cases.ts";
import { scheduleCases } from "./store/schedule_cases.ts";
import { type StoreUnderTest, Trial } from "./store/trial.ts";
import { unitCases } from "./store/unit_cases.ts";
import { wakeCases } from "./store/wake_cases.ts";
import { register, type TestCase, withDeviations } from "./test_case.ts";

export { register };
export type { StoreUnderTest, TestCase };

/** Of this run: two on one database do not meet. */
const run: string = Math.floor(performance.timeOrigin + performance.now()).toString(36);
let cases = 0;

/**
 * Every promise of a store as a case. What a store lacks by its capabilities is not asked of it.
 *
 * @param create makes a database for one case, which disposes of it; `prefix` is of this case alone
 * @param deviations case → reason: must fail; one that passes is a failure
 */
export function storeConformance(
  create: (scope: { readonly prefix: string }) => Promise<StoreUnderTest>,
  deviations: Readonly<Record<string, string>> = {},
): readonly TestCase[] {
  const all = [
    ...lifecycleCases,
    ...inboxCases,
    ...unitCases,
    ...sagaCases,
    ...sagaFindingCases,
    ...contentCases,
    ...dueCases,
    ...orderCases,
    ...scheduleCases,
    ...wakeCases,
    ...leaseCases,
    ...modelCases,
  ];
  return withDeviations(
    all.map((each) => ({
      name: each.name,
      async run() {
        const prefix = `t${run}-${++cases}-`;
        const under = await create({ prefix });
        try {
          await Trial.run(under, prefix, each);
        } finally {
          await under[Symbol.asyncDispose]();
        }
      },
    })),
    deviations,
  );
}
