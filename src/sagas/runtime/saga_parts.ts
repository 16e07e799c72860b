/** What a saga has its endpoint handle. @module */
import { type Definition, definitionOf } from "../../contracts/definition.ts";
import type { Consumption } from "../../pipeline/consumption.ts";
import type { SagaRow } from "../../spi/rows.ts";
import type { EventDefinition, SagaDefinition } from "../definition.ts";
import { CompensationFailed } from "../instances.ts";
import { answersOf } from "./answers.ts";
import { idOf, unitOf, whereOf } from "./correlating.ts";
import { requestIndex, waiting } from "./instance_row.ts";
import type { Found, SagaPart } from "./part.ts";
import { SagaRunner } from "./saga_runner.ts";
import { sagaSignal, toSignal } from "./signal.ts";

/** What a saga has its endpoint handle: its events, answers to its requests, and what it sends to itself. */
export function sagaParts(saga: SagaDefinition): readonly SagaPart[] {
  const runner = new SagaRunner(saga);
  const events = new Map<Definition, EventDefinition[]>();
  for (const event of saga.events.values()) {
    const definition = definitionOf(event.contract, `the contract of "${event.name}"`);
    const others = events.get(definition);
    if (others === undefined) events.set(definition, [event]);
    else others.push(event);
  }
  const answers = answersOf(saga);
  const answering = new Set(answers.map(({ name }) => name));
  const handled = new Set([...events.keys()].map(({ name }) => name));
  return [
    ...[...events].map(([definition, own]) =>
      messagePart(runner, definition, own, { subscribed: true, answers: answering.has(definition.name) })
    ),
    ...answers.filter(({ name }) => !handled.has(name))
      .map((definition) => messagePart(runner, definition, [], { subscribed: false, answers: true })),
    // Also where its rules have nothing that sends one: instances of an earlier version of it may.
    signalPart(runner),
  ];
}

function messagePart(
  runner: SagaRunner,
  definition: Definition,
  events: readonly EventDefinition[],
  { subscribed, answers }: { readonly subscribed: boolean; readonly answers: boolean },
): SagaPart {
  const { saga } = runner;
  const indexed = events.filter(({ by }) => by.kind === "index");
  const identified = events.filter(({ by }) => by.kind !== "index");
  const part: SagaPart = {
    saga,
    definition,
    subscribed,
    ids: idsBy(saga, identified),
    handle: (context) => runner.message(context, part, events),
    ...(answers || indexed.length > 0
      ? { lookUp: (consumption, message) => lookUp(saga, consumption, message, indexed, answers) }
      : {}),
  };
  return part;
}

/** Nearly always one. */
function idsBy(saga: SagaDefinition, events: readonly EventDefinition[]): SagaPart["ids"] {
  const [only] = events;
  if (only !== undefined && events.length === 1) return (message) => [idOf(saga, only, message)];
  return (message) => events.map((event) => idOf(saga, event, message));
}

function signalPart(runner: SagaRunner): SagaPart {
  const { name } = runner.saga;
  return {
    saga: runner.saga,
    definition: sagaSignal,
    subscribed: false,
    publishes: runner.saga.undos.size === 0 ? [] : [definitionOf(CompensationFailed, "a contract of the library")],
    ids: (message) => {
      const { saga, id } = toSignal(message);
      return saga === name ? [id] : [];
    },
    handle: (context) => runner.signal(context),
  };
}

async function lookUp(
  saga: SagaDefinition,
  consumption: Consumption,
  message: unknown,
  indexed: readonly EventDefinition[],
  answers: boolean,
): Promise<Found> {
  const unit = unitOf(consumption);
  const { requestId } = consumption.envelope;
  const [asked] = answers && requestId !== undefined
    ? await unit.find(saga.name, { [requestIndex(requestId)]: waiting })
    : [];
  const byEvent = new Map<string, readonly SagaRow[]>();
  if (asked === undefined) {
    for (const { name, by } of indexed) {
      // As `idOf`.
      if (by.kind === "index") {
        byEvent.set(name, await unit.find(saga.name, whereOf(saga, name, by.match(message as never))));
      }
    }
  }
  const rows = [...asked === undefined ? [] : [asked], ...[...byEvent.values()].flat()];
  return { asked, byEvent, ids: rows.map(({ id }) => id) };
}
