/**
 * What a bus needs to share a broker with services on MassTransit.
 *
 * @module
 */
export { masstransitNaming, type MasstransitNamingOptions } from "./naming.ts";
