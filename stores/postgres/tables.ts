/** A store's tables, each with its statements. @module */
import type { OutboxRow, ScheduleRow } from "../../src/spi/rows.ts";
import { Cancelled } from "./cancelled.ts";
import { DueTable } from "./due_table.ts";
import { FreeRows } from "./free_rows.ts";
import { FreshRows } from "./fresh_rows.ts";
import { Inbox } from "./inbox.ts";
import { JoinedRows } from "./joined_rows.ts";
import { Leases } from "./leases.ts";
import type { Names } from "./names.ts";
import { SagaHistory } from "./saga_history.ts";
import { Sagas } from "./sagas.ts";
import { UsualRow } from "./usual_row.ts";

/** All of them; `free` writes to three, `fresh` and `joined` to two, `usual` to the outbox. */
export class Tables {
  readonly inbox: Inbox;
  readonly sagas: Sagas;
  readonly history: SagaHistory;
  readonly leases: Leases;
  readonly outbox: DueTable<OutboxRow>;
  readonly schedules: DueTable<ScheduleRow>;
  readonly cancelled: Cancelled;
  readonly usual: UsualRow;
  readonly free: FreeRows;
  readonly fresh: FreshRows;
  readonly joined: JoinedRows;

  constructor(names: Names) {
    this.inbox = new Inbox(names);
    this.sagas = new Sagas(names);
    this.history = new SagaHistory(names);
    this.leases = new Leases(names);
    this.outbox = new DueTable(names, "outbox");
    this.schedules = new DueTable(names, "schedules");
    this.cancelled = new Cancelled(names);
    this.usual = new UsualRow(names);
    this.free = new FreeRows(names, this.inbox, this.sagas);
    this.fresh = new FreshRows(names);
    this.joined = new JoinedRows(names, this.sagas);
  }
}
