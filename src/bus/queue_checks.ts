/** That every queue is one endpoint's alone, and that no copy is copied without end. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import type { Routing } from "../pipeline/routing.ts";
import type { Address } from "../spi/transport.ts";
import type { EndpointPlan } from "./endpoint_plan.ts";

/**
 * Refuses endpoints of one bus that would take each other's messages: two with one queue, or one whose queue is where
 * another keeps what failed. And an audit that leads back to where it came from.
 *
 * @throws {ConfigurationError}
 */
export function checkQueues(plans: readonly EndpointPlan[], routing: Routing): void {
  const owners = new Map<Address, string>();
  for (const plan of plans) {
    for (const [address, what] of queuesOf(plan, routing)) {
      const other = owners.get(address);
      if (other !== undefined) {
        throw new ConfigurationError(
          `"${address}" would be ${other} and ${what}: one would take the other's messages. ` +
            `Have them, or the naming policy, say another name`,
        );
      }
      owners.set(address, what);
    }
  }
  for (const plan of plans) checkAudit(plan, plans, routing);
}

function queuesOf({ name, options }: EndpointPlan, routing: Routing): readonly (readonly [Address, string])[] {
  const queues: (readonly [Address, string])[] = [];
  // Each instance has one of its own.
  if (options.queue !== "instance") queues.push([routing.queue(name), `the queue of the endpoint "${name}"`]);
  if (options.keepFailed === false) return queues;
  queues.push([routing.queue(name, "_error"), `where the endpoint "${name}" keeps what failed`]);
  queues.push([routing.queue(name, "_skipped"), `where the endpoint "${name}" keeps what it does not handle`]);
  return queues;
}

function checkAudit(plan: EndpointPlan, plans: readonly EndpointPlan[], routing: Routing): void {
  const own = new Set(queuesOf(plan, routing).map(([address]) => address));
  const seen = new Set<EndpointPlan>();
  for (let at: EndpointPlan | undefined = plan; at?.options.audit !== undefined && !seen.has(at);) {
    seen.add(at);
    const to = routing.named(at.options.audit);
    if (own.has(to)) {
      throw new ConfigurationError(
        `{ audit: "${plan.options.audit}" } of "${plan.name}" leads back to "${to}", so that every copy would be ` +
          `copied again. Give the copies a queue of their own`,
      );
    }
    at = plans.find(({ name, options }) => options.queue !== "instance" && routing.queue(name) === to);
  }
}
