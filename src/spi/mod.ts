/**
 * What a plug-in is written against: the interfaces of transports, stores, serializers and telemetry, and the frames,
 * addresses and clock that they speak of. Their comments are promises, and the conformance suites hold a
 * plug-in to them.
 *
 * @example A transport is a value that is handed to the bus
 * ```ts
 * import type { Transport } from "@hero/messaging/spi";
 *
 * const answersLater = (transport: Transport): boolean => transport.capabilities.delay !== false;
 * ```
 *
 * @module
 */
export type { Clock } from "./clock.ts";
export type { FrameTransform } from "./frame_transform.ts";
export { type Frame, type FrameHeaders, type NativeValue, withHeaders } from "./frame.ts";
export type { Serialized, SerializedText, Serializer } from "./serializer.ts";
export type {
  Changes,
  HistorySelection,
  InboxKey,
  InstanceKey,
  MessageKey,
  OutboxRow,
  SagaChange,
  SagaHistoryRow,
  SagaRow,
  ScheduleCancel,
  ScheduleRow,
} from "./rows.ts";
export type {
  Due,
  Endable,
  InUnit,
  JoinableStore,
  Leased,
  Parked,
  Postponed,
  SagaRecords,
  Scope,
  Store,
  StoreCapabilities,
  Unit,
} from "./store.ts";
export { bindingEntity, extraBindings } from "./extra_bindings.ts";
export { keepCancelledMs, mostSetBackMs } from "./rows.ts";
export { transactionOf } from "./transaction.ts";
export type {
  Backlog,
  BacklogActivity,
  ProcessActivity,
  SendActivity,
  Span,
  Telemetry,
  TraceHeaders,
} from "./telemetry.ts";
export type {
  Address,
  Admin,
  BrokerTransaction,
  Capabilities,
  Change,
  Delivery,
  DeployMode,
  Enlistment,
  Entity,
  Extension,
  Host,
  Outgoing,
  Receiver,
  Settlement,
  Sink,
  Source,
  Topology,
  Transport,
  TransportCounts,
} from "./transport.ts";
