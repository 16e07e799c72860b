/** The transport within a process: `memory()`. @module */
export { type Memory, memory, memoryBroker, type MemoryOptions } from "./memory.ts";
export type { MemoryBroker, MemoryBrokerCounts } from "./broker.ts";
export type { MemoryQueueOptions } from "./topology.ts";
