/**
 * Messaging for Deno, Bun and Node: typed commands, queries and events over in-process and distributed buses.
 *
 * @example
 * ```ts
 * import { command, createBus } from "@hero/messaging";
 *
 * const SubmitOrder = command<{ orderId: string }>("orders.submit-order");
 *
 * const bus = createBus({ name: "orders" });
 * bus.endpoint("orders").handle(SubmitOrder, (order) => console.log(order.orderId));
 * await bus.start();
 * await bus.send(SubmitOrder, { orderId: "42" });
 * await bus.stop();
 * ```
 *
 * @module
 */
export { HeroError, type HeroErrorOptions } from "./src/errors/hero_error.ts";
export type { ExceptionInfo } from "./src/errors/exception_info.ts";
export {
  ConfigurationError,
  DuplicateContractError,
  DuplicateOwnerError,
  InvalidDurationError,
  InvalidInstantError,
  InvalidNameError,
  UnknownEndpointError,
  UnsupportedError,
} from "./src/errors/configuration.ts";
export {
  AlreadyStartedError,
  NotStartedError,
  StartTimeoutError,
  StopDeadlineError,
  StoppedError,
} from "./src/errors/lifecycle.ts";
export {
  ClaimLostError,
  DeliveryLimitError,
  HandlersFailedError,
  HandlerTimeoutError,
  NoUpcastError,
  UnknownContentTypeError,
  UnreadableMessageError,
  VersionAheadError,
} from "./src/errors/receiving.ts";
export {
  CompensationFailedError,
  EndlessSagaError,
  InvalidSagaDataError,
  MissingSagaDataError,
  SagaCompensatingError,
  SagaNotFoundError,
  SagaRequestAbandonedError,
  SagaVersionAheadError,
  UnhandledSagaEventError,
  UnknownUndoError,
  UnreadableSagaError,
} from "./src/errors/saga.ts";
export { NonErrorThrownError } from "./src/errors/thrown.ts";
export {
  BackpressureError,
  InvalidHeaderError,
  InvalidIdError,
  InvalidMessageError,
  MessageTooLargeError,
  MissedScheduleError,
  NoHandlerError,
  NotCancellableError,
  NotConfirmedError,
  RequestCycleError,
  RequestFaultError,
  RequestInTransactionError,
  RequestTimeoutError,
  UnroutableError,
  UnserializableError,
  type UnserializableErrorOptions,
} from "./src/errors/sending.ts";
export {
  ConflictError,
  DuplicateError,
  NoTransactionError,
  OutcomeUnknownError,
  StoreBusyError,
  StoreCorruptError,
  StoreFullError,
  StoreLockedError,
  StoreReadOnlyError,
  StoreTimeoutError,
  StoreUnavailableError,
  TransactionEndedError,
  UnitTooLargeError,
  UnreadableRowError,
  WriterHeldError,
} from "./src/errors/store.ts";
export {
  AccessRefusedError,
  AcknowledgementTimeoutError,
  ClosedError,
  CredentialsError,
  DisconnectedError,
  TopologyError,
} from "./src/errors/transport.ts";

export type { Awaitable } from "./src/values/awaitable.ts";
export { type ContextKey, contextKey } from "./src/values/context_key.ts";
export type { Destination } from "./src/values/destination.ts";
export type { Duration } from "./src/values/duration.ts";
export type { ErrorClass } from "./src/values/error_class.ts";
export type { Extra, KeyOf, Make, NotInMessage, WithoutExtra } from "./src/values/exact.ts";
export type { Instant } from "./src/values/instant.ts";
export type { Random } from "./src/values/random.ts";
export { type Schema, type SchemaIssue, type SchemaResult, type } from "./src/values/schema.ts";
export type { HostInfo } from "./src/runtime/host.ts";

export { type Command, command } from "./src/contracts/command.ts";
export type {
  Base,
  Contract,
  ContractOptions,
  Empty,
  Kind,
  NoReply,
  OneOf,
  OutputOf,
  OwnedOptions,
  Replies,
  ReplyOf,
} from "./src/contracts/contract.ts";
export { type Event, event } from "./src/contracts/event.ts";
export { type Fault, fault } from "./src/contracts/fault.ts";
export { type Query, query } from "./src/contracts/query.ts";

export type { Headers, HeaderValue } from "./src/envelope/headers.ts";

export type { Clock } from "./src/spi/clock.ts";
export type { Frame, FrameHeaders, NativeValue } from "./src/spi/frame.ts";
export type { FrameTransform } from "./src/spi/frame_transform.ts";
export type { Serialized, SerializedText, Serializer } from "./src/spi/serializer.ts";
export type { Store, StoreCapabilities } from "./src/spi/store.ts";
export type {
  Backlog,
  BacklogActivity,
  ProcessActivity,
  SendActivity,
  Span,
  Telemetry,
  TraceHeaders,
} from "./src/spi/telemetry.ts";
export type { Change, DeployMode, Extension, Transport, TransportCounts } from "./src/spi/transport.ts";

export { jsonSerializer } from "./src/serialization/json.ts";
export type { SerializerLimits } from "./src/serialization/limits.ts";

export type { CircuitBreakerOptions } from "./src/pipeline/circuit_breaker.ts";
export type {
  BatchContext,
  BatchHandler,
  BatchOptions,
  ConsumeContext,
  DeliveryContext,
  Handler,
  HandlerContext,
  MessageContext,
  Middleware,
  Responded,
  Result,
  SendContext,
  SendKind,
  SendMiddleware,
} from "./src/pipeline/context.ts";
export type { ErrorPredicate, RetryFilter } from "./src/pipeline/error_filter.ts";
export type { KillSwitchOptions } from "./src/pipeline/kill_switch.ts";
export type {
  BusObserver,
  HeldTransaction,
  Observed,
  ObservedDelivery,
  ObservedFailure,
  ObservedInstance,
  ObservedSend,
  ObservedStatus,
  Unhandled,
} from "./src/pipeline/observers.ts";
export type { RateLimitOptions } from "./src/pipeline/rate_limit.ts";
export type { Recoverability, Recovery, RecoveryNow } from "./src/pipeline/recoverability.ts";
export {
  type ExponentialRetry,
  type IncrementalRetry,
  type Retry,
  retry,
  type RetryPolicy,
} from "./src/pipeline/retry.ts";
export type { NamingPolicy, RouteRule, Routes } from "./src/pipeline/routing.ts";
export type {
  MessageOptions,
  PublishOptions,
  Requester,
  RequestOptions,
  ScheduleOptions,
  ScheduleToken,
  Sender,
  SendOptions,
  When,
} from "./src/pipeline/sending.ts";
export type { EndpointStatistics } from "./src/pipeline/statistics.ts";

export { type Saga, saga, type SagaShape, verify, verifyHistory } from "./src/sagas/saga.ts";
export type {
  EventDescription,
  SagaDescription,
  StateDescription,
  TransitionDescription,
} from "./src/sagas/description.ts";
export type { RecordedSagaEntry, RecordedSagaHistory, SagaHistoryFinding } from "./src/sagas/history_verification.ts";
export type { SagaFinding } from "./src/sagas/verification.ts";
export type { MissingShape, SagaContext, Shape, StateOf } from "./src/sagas/context.ts";
export type {
  Correlation,
  Indexable,
  IndexOf,
  Match,
  MatchBy,
  NotAnIndex,
  On,
  OnOptions,
  Role,
} from "./src/sagas/correlation.ts";
export {
  CompensationFailed,
  type SagaCorrection,
  type SagaHistoryEntry,
  type SagaInstances,
  type SagaView,
} from "./src/sagas/instances.ts";
export type { SagaOptions } from "./src/sagas/options.ts";
export type {
  AnswerTo,
  Behavior,
  NothingToReply,
  One,
  ReplyTo,
  RoleOf,
  Rules,
  UnhandledEvent,
} from "./src/sagas/rules.ts";
export type { MessageOf, RequestOutcome, Rule, Sequence, Steps } from "./src/sagas/steps.ts";

export { createMediator } from "./src/mediator/create_mediator.ts";
export type { CallOptions, CallRequestOptions, Mediator, MediatorOptions } from "./src/mediator/mediator.ts";

export type { Bus, Connection } from "./src/bus/bus.ts";
export type { BusOptions } from "./src/bus/bus_options.ts";
export { batchConsumer, type BatchConsumerOptions } from "./src/pipeline/batch_consumer.ts";
export { type Consumer, consumer, type ConsumerOptions, type Runnable } from "./src/pipeline/consumer.ts";
export type {
  BusSettingsDescription,
  ConsumerDescription,
  ContractDescription,
  Control,
  Counts,
  Description,
  EndpointDescription,
  ErrorQueue,
  FailedMessage,
  Health,
  HealthStatus,
  ParkedMessage,
  ParkedMessages,
  Selection,
  StopOptions,
} from "./src/bus/control.ts";
export { createBus } from "./src/bus/create_bus.ts";
export type { MessageStream } from "./src/bus/stream.ts";
export type { Endpoint } from "./src/bus/endpoint.ts";
export type {
  EndpointOptions,
  EndpointSettings,
  Ordered,
  OrderedWithOvertaking,
  Outbox,
  OutboxSettings,
  TxFor,
  TxOf,
  Unordered,
} from "./src/bus/endpoint_options.ts";

export {
  type Memory,
  memory,
  type MemoryBroker,
  memoryBroker,
  type MemoryBrokerCounts,
  type MemoryOptions,
  type MemoryQueueOptions,
} from "./transports/memory/mod.ts";
export {
  type MemoryDatabase,
  memoryDatabase,
  type MemoryDatabaseCounts,
  memoryStore,
  type MemoryStoreOptions,
} from "./stores/memory/mod.ts";
