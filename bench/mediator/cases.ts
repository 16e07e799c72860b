/** One async handler of one message type, called and awaited, by us and by what a user would pick instead. @module */
import { command, createMediator, event } from "../../mod.ts";
import type { Text } from "../memory/messages.ts";
import { peer } from "../peers/mod.ts";
import type { Case } from "../support/program.ts";

const NO_ID = "00000000-0000-0000-0000-000000000000";
let sum = 0;
/** The same for all. */
// deno-lint-ignore require-await -- an async function, as a handler mostly is
const add = async (message: { readonly value: number }): Promise<number> => {
  sum += message.value;
  return sum;
};

interface Cqrs {
  readonly CommandBus: new (modules: object) => {
    bind(handler: object, id: string): void;
    execute(command: object): Promise<unknown>;
  };
  readonly CommandHandler: (command: unknown) => (handler: unknown) => void;
}
interface Metadata {
  getMetadata(key: string, target: unknown): { readonly id?: string } | undefined;
}
interface Emitter {
  on(name: string, listener: (event: { readonly data: { readonly value: number } }) => unknown): void;
  emit(name: string, data: object): Promise<void>;
}

/** By the names that `run.ts` and the report use. */
export const cases: Readonly<Record<string, Case>> = {
  "bare": {
    count: 10_000_000,
    prepare: () =>
      Promise.resolve(async (count) => {
        for (let i = 0; i < count; i++) await add({ value: i });
      }),
  },
  "send": {
    count: 5_000_000,
    prepare: () => {
      const Add = command<{ value: number }, number>("bench.add");
      const mediator = createMediator();
      mediator.handle(Add, add);
      return Promise.resolve(async (count) => {
        for (let i = 0; i < count; i++) await mediator.send(Add, { value: i });
      });
    },
  },
  "send-text": {
    count: 5_000_000,
    prepare: () => {
      const Receive = command<Text>("bench.receive");
      const mediator = createMediator();
      let received = 0;
      mediator.handle(Receive, () => {
        received++;
      });
      const payload = "x".repeat(200);
      return Promise.resolve(async (count) => {
        received = 0;
        for (let i = 0; i < count; i++) await mediator.send(Receive, { id: NO_ID, payload, stamp: 0 });
        if (received !== count) throw new Error(`Only ${received} of ${count} were handled`);
      });
    },
  },
  "publish": {
    count: 5_000_000,
    prepare: () => {
      const Added = event<{ value: number }>("bench.added");
      const mediator = createMediator();
      mediator.handle(Added, add);
      return Promise.resolve(async (count) => {
        for (let i = 0; i < count; i++) await mediator.publish(Added, { value: i });
      });
    },
  },
  "nestjs-cqrs": {
    count: 3_000_000,
    prepare: async () => {
      await peer("reflect-metadata");
      const { CommandBus, CommandHandler } = await peer<Cqrs>("@nestjs/cqrs");
      class Add {
        readonly value: number;
        constructor(value: number) {
          this.value = value;
        }
      }
      class AddHandler {
        execute(message: Add): Promise<number> {
          return add(message);
        }
      }
      CommandHandler(Add)(AddHandler);
      // What the module of NestJS does at start, without NestJS: no container is needed to dispatch.
      const { getMetadata } = Reflect as unknown as Metadata; // reflect-metadata adds it
      const id = getMetadata("__command__", Add)?.id;
      if (id === undefined) throw new Error("@nestjs/cqrs has not registered the handler: its metadata has changed");
      const bus = new CommandBus({ create: () => {}, get: () => {} });
      bus.bind({ instance: new AddHandler(), isDependencyTreeStatic: () => true, metatype: AddHandler }, id);
      return async (count) => {
        for (let i = 0; i < count; i++) await bus.execute(new Add(i));
      };
    },
  },
  "emittery": {
    count: 500_000,
    prepare: async () => {
      const { default: Emittery } = await peer<{ readonly default: new () => Emitter }>("emittery");
      const emitter = new Emittery();
      emitter.on("added", ({ data }) => add(data));
      return async (count) => {
        for (let i = 0; i < count; i++) await emitter.emit("added", { value: i });
      };
    },
  },
};
