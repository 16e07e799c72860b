/**
 * Queues in a PostgreSQL database: `postgresTransport("postgres://localhost/orders")`. Needs npm:postgres beside this
 * package, or another driver in its place.
 *
 * @module
 */
export { postgresTransport, type PostgresTransportOptions } from "./postgres_transport.ts";
