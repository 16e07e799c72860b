/** Instances as a unit of work leaves them. @module */
import type { UnitOfWork } from "../../outbox/unit_of_work.ts";
import type { Serializer } from "../../spi/serializer.ts";
import type { SagaHistoryRow, SagaRow } from "../../spi/rows.ts";
import { type Awaitable, isPromise } from "../../values/awaitable.ts";
import { none } from "../../values/none.ts";
import type { SagaDefinition } from "../definition.ts";
import type { SagaInstance } from "../instance.ts";
import { isOver } from "../machine.ts";
import { type Happened, toHistoryRow } from "./history.ts";
import { checkData, isSame, toRow } from "./instance_row.ts";

/**
 * Has the unit write an instance as it is now, or remove it if it is over.
 *
 * @param row as it was loaded; `undefined`: it is new
 * @param happened to be kept; `undefined`: nothing is
 * @throws {InvalidSagaDataError} if its data does not satisfy the saga's schema
 */
export function save(
  saga: SagaDefinition,
  instance: SagaInstance,
  row: SagaRow | undefined,
  unit: UnitOfWork,
  serializer: Serializer,
  happened: Happened | undefined,
): Awaitable<void> {
  const history = happened === undefined
    ? none
    : [toHistoryRow(saga.name, instance, (row?.version ?? 0) + 1, happened, serializer)];
  if (isOver(saga, instance) && saga.finalized === "removed") {
    if (row !== undefined || history.length > 0) unit.save(row, undefined, history);
    return;
  }
  const valid = checkData(saga, instance);
  return isPromise(valid)
    ? writeAfter(valid, saga, instance, row, unit, serializer, history)
    : write(saga, instance, row, unit, serializer, history);
}

async function writeAfter(valid: Promise<unknown>, ...written: Parameters<typeof write>): Promise<void> {
  await valid;
  write(...written);
}

function write(
  saga: SagaDefinition,
  instance: SagaInstance,
  row: SagaRow | undefined,
  unit: UnitOfWork,
  serializer: Serializer,
  history: readonly SagaHistoryRow[],
): void {
  const after = toRow(saga, instance, row, serializer, unit.keepsRows);
  // What has only been asked has not changed.
  if (row === undefined || !isSame(row, after)) unit.save(row, after, history);
}
