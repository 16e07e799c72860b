/** The store within a process: `memoryStore()`. @module */
export { memoryDatabase, memoryStore, type MemoryStoreOptions } from "./memory.ts";
export type { MemoryDatabase, MemoryDatabaseCounts } from "./database.ts";
