/** What every transport promises, as cases: `src/spi/transport.ts` in words, this in deeds. */
import { register, type TestCase, withDeviations } from "./test_case.ts";
import { adminCases } from "./transport/admin_cases.ts";
import { claimCases } from "./transport/claim_cases.ts";
import { creditCases } from "./transport/credit_cases.ts";
import { frameCases } from "./transport/frame_cases.ts";
import { lifecycleCases } from "./transport/lifecycle_cases.ts";
import { orderCases } from "./transport/order_cases.ts";
import { receivingCases } from "./transport/receiving_cases.ts";
import { sendingCases } from "./transport/sending_cases.ts";
import { settlingCases } from "./transport/settling_cases.ts";
import { stressCases } from "./transport/stress_cases.ts";
import { timeCases } from "./transport/time_cases.ts";
import { topologyCases } from "./transport/topology_cases.ts";
import { type TransportUnderTest, Trial } from "./transport/trial.ts";

export { register };
export type { TestCase, TransportUnderTest };

/** Of this run: two on one broker do not meet. */
const run: string = Math.floor(performance.timeOrigin + performance.now()).toString(36);
let cases = 0;

/**
 * Every promise of a transport as a case. What a transport lacks by its capabilities is not asked of it.
 *
 * @param create makes a broker's end for one case, which disposes of it; entities are to be named with `prefix` first,
 * and `signal` aborts when the case is over
 * @param deviations case → reason: must fail; one that passes is a failure
 */
export function transportConformance(
  create: (scope: { readonly prefix: string; readonly signal: AbortSignal }) => Promise<TransportUnderTest>,
  deviations: Readonly<Record<string, string>> = {},
): readonly TestCase[] {
  const all = [
    ...frameCases,
    ...sendingCases,
    ...topologyCases,
    ...receivingCases,
    ...creditCases,
    ...settlingCases,
    ...claimCases,
    ...orderCases,
    ...timeCases,
    ...adminCases,
    ...lifecycleCases,
    ...stressCases,
  ];
  return withDeviations(
    all.map((each) => ({
      name: each.name,
      async run() {
        const prefix = `t${run}-${++cases}-`;
        const end = new AbortController();
        const under = await create({ prefix, signal: end.signal });
        try {
          await Trial.run(under, prefix, each);
        } finally {
          end.abort();
          await under[Symbol.asyncDispose]();
        }
      },
    })),
    deviations,
  );
}
