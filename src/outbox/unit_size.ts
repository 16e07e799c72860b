/** How much one commit may be. @module */
import { UnitTooLargeError } from "../errors/store.ts";
import type { Changes } from "../spi/rows.ts";
import type { Store } from "../spi/store.ts";

/**
 * Checks that a store takes it all at once.
 *
 * @param handled how many inbox records are written with the changes
 * @throws {UnitTooLargeError} if it is more
 */
export function checkUnitSize(
  { name, capabilities: { maxOperations, maxBytes } }: Pick<Store<unknown>, "name" | "capabilities">,
  handled: number,
  { sagas, outbox, schedules }: Changes,
): void {
  const operations = handled + sagas.length + outbox.length + schedules.length;
  if (operations > maxOperations) throw new UnitTooLargeError(name, "operations", operations, maxOperations);
  // Nothing is that large: it need not be counted.
  if (maxBytes === Number.MAX_SAFE_INTEGER) return;
  let bytes = 0;
  for (const { after } of sagas) bytes += after?.data.byteLength ?? 0;
  for (const { frame } of outbox) bytes += frame.body.byteLength;
  for (const change of schedules) if ("put" in change) bytes += change.put.frame.body.byteLength;
  if (bytes > maxBytes) throw new UnitTooLargeError(name, "bytes", bytes, maxBytes);
}
