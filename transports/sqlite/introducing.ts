/** Topics that a bus learns of while it runs. @module */
import type { Change, Topology } from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import type { Migrations } from "../../stores/sqlite/migrations.ts";
import type { Services } from "./services.ts";
import { refuse } from "./topology.ts";

/** What could not be written is tried again so soon, in milliseconds. */
const retryMs = 1_000;

/**
 * Makes topics and their bindings, as `Transport.deploy` does; nobody waits where somebody else writes. It may be the
 * very unit of work that is to send to them, and that holds the writer until it has sent: until they are in the file,
 * they hold in this process.
 *
 * @param closed whether it is in vain by now
 */
export async function introduce(
  topology: Topology,
  { session, entities, failed, worked, pause }: Services,
  migrations: Migrations,
  closed: () => boolean,
): Promise<readonly Change[]> {
  for (const { extensions } of topology.topics) refuse(extensions);
  const plan = await session.read((reader) => {
    const missing = migrations.plan(reader);
    const there = !missing.some(({ kind }) => kind === "create");
    return [...missing, ...entities.deploy(there ? reader : undefined, topology, false, () => {})];
  });
  if (!plan.some(({ kind }) => kind === "create")) return plan;
  const apply = (connection: Connection): readonly Change[] => [
    ...migrations.apply(connection),
    ...entities.deploy(connection, topology, true, () => {}),
  ];
  const made = session.writer.writeAtOnce(apply);
  if (made !== undefined) return made.result;
  entities.expect(topology);
  const later = async (): Promise<void> => {
    while (!closed()) {
      try {
        await session.writer.write(apply);
        worked();
        return entities.arrived(topology);
      } catch (error) {
        if (closed()) return;
        failed(error);
        await pause(retryMs);
      }
    }
  };
  void later();
  return plan;
}
