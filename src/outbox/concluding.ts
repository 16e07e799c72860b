/** What becomes of a message, as part of its unit of work. @module */
import { toHeaders } from "../envelope/wire.ts";
import type { Consumption } from "../pipeline/consumption.ts";
import { referred } from "../pipeline/reference.ts";
import type { Frame, FrameHeaders } from "../spi/frame.ts";
import { withNotes } from "./stored_message.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

/**
 * Takes over what the transport would do by itself after the commit, where a crash in between would lose it. Where the
 * broker lives in the store's database the unit settles the message; else one that is put off or forwarded becomes a
 * row of the unit, and its delivery is accepted.
 */
export function conclude(consumption: Consumption, unit: UnitOfWork): void {
  const { outcome, envelope, delivery, services, deferral } = consumption;
  if (outcome?.outcome === "release" || unit.settle(consumption) || outcome === undefined) return;
  const again = outcome.outcome === "again";
  const what = again ? `deferred ${deferral + 1}` : "forwarded";
  unit.add({
    // Several endpoints may put off one message.
    id: `${envelope.messageId} ${what} by ${services.name}`,
    group: envelope.messageId,
    key: delivery.key,
    to: again ? services.address : outcome.to,
    frame: withNotes(copyOf(consumption, outcome.headers), { kind: "send", copy: true }),
    dueAt: again ? outcome.dueAt : 0,
    expiresAt: envelope.expiresAt,
  });
  consumption.outcome = undefined;
}

function copyOf(consumption: Consumption, added: FrameHeaders): Frame {
  const { delivery: { frame }, services: { serializers } } = consumption;
  const reference = referred(frame);
  if (reference === undefined) {
    return { contentType: frame.contentType, headers: { ...frame.headers, ...added }, body: frame.body };
  }
  const { body, types } = serializers.default.serialize(reference.message);
  return {
    contentType: serializers.default.contentType,
    headers: { ...toHeaders(reference.envelope, types), ...frame.headers, ...added },
    body,
  };
}
