/** For which messages the broker has ended a channel. @module */
import { MessageTooLargeError, UnroutableError } from "../../src/errors/sending.ts";
import { DisconnectedError, TopologyError } from "../../src/errors/transport.ts";
import { accessRefused, codeOf, codes, entityIn, textOf, transportName } from "./errors.ts";
import type { Parcel } from "./parcel.ts";

/** How often one may be the first on a channel that the broker ends, before it is taken for the reason. */
const mostFailures = 3;
/** As the broker calls the exchange without a name. */
const defaultExchange = "amq.default";

/** Fails those, of what was not confirmed, for which the broker ended the channel. */
export function blame(
  parcels: readonly Parcel[],
  reason: Error,
  fail: (parcel: Parcel, error: Error) => void,
): void {
  const code = codeOf(reason);
  const named = entityIn(reason);
  const refused = named?.name === defaultExchange ? "" : named?.name;
  const guilty = named?.kind === "exchange" ? parcels.filter(({ exchange }) => exchange === refused) : [];
  if (code === codes.notFound || code === codes.accessRefused) {
    for (const parcel of guilty) {
      if (code === codes.accessRefused) {
        fail(parcel, accessRefused(reason, parcel.to, "send to"));
      } else if (parcel.mandatory) fail(parcel, new UnroutableError(parcel.name, parcel.to, { cause: reason }));
      else fail(parcel, TopologyError.missing(parcel.to, { cause: reason }));
    }
    if (guilty.length > 0) return;
  }
  const [, limit] = /larger than configured max size (\d+)/.exec(textOf(reason)) ?? [];
  const large = limit === undefined ? undefined : parcels.find(({ content }) => content.byteLength > Number(limit));
  if (large !== undefined) {
    return fail(large, new MessageTooLargeError(large.name, "body", large.content.byteLength, Number(limit)));
  }
  const [first] = parcels;
  if (first === undefined || ++first.failures < mostFailures) return;
  fail(first, new DisconnectedError(transportName, `send to "${first.to}"`, { cause: reason }));
}
