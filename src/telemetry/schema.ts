import type { DatabaseSync } from 'node:sqlite'
import { AtelierError } from '../core/index.ts'

/**
 * The tables, in a file of their own: records come at the rate of calls and may be lost with a crash, while the store's
 * few rows must not wait behind them. Steps in order; one that was released is never changed.
 *
 * A record is written for every call, so its row is short: ids sort by time and need no index for it, ids of projects and
 * functions are numbers (`ids`), and what a function's records have in common stands in `sources`; both grow with deploys, not calls.
 */
const STEPS: readonly string[] = [
  `create table ids (key integer primary key, text text not null unique);

   create table sources (
     key integer primary key, project integer not null, function integer not null, app_name text not null,
     function_name text not null, version integer not null, memory_mib integer not null, trigger text not null
   );
   create index sources_by_function on sources (function, version);

   create table invocations (
     id text primary key, project integer not null, function integer not null, source integer not null,
     status text not null, http_status integer not null, fault text, error_code text, error_message text,
     cold integer not null, instance_id text, started_at integer not null, queued_ms real not null,
     starting_ms real not null, initialising_ms real not null, running_ms real not null,
     billed_ms integer not null, memory_peak_bytes integer, bytes_in integer not null,
     bytes_out integer not null, traceparent text
   ) without rowid;
   create index invocations_by_project on invocations (project, id);
   create index invocations_by_function on invocations (function, id);

   create table logs (
     seq integer primary key, at integer not null, project_id text not null, function_id text not null,
     version integer not null, instance_id text not null, invocation_id text, stream text not null,
     text text not null
   );
   create index logs_by_function on logs (function_id, seq);
   create index logs_by_invocation on logs (invocation_id, seq) where invocation_id is not null;

   create table usage (
     project_id text not null, day text not null, function_id text not null, app_name text not null,
     function_name text not null, calls integer not null, errors integer not null, billed_ms integer not null,
     memory_mib_ms real not null, bytes_in integer not null, bytes_out integer not null,
     primary key (project_id, day, function_id)
   ) without rowid;

   create table kept (
     function_id text primary key, records integer not null, log_bytes integer not null
   ) without rowid;`,

  // Attempts of asynchronous calls: each has a record with an id of its own, since ids tell the time, and `call` is the id they share.
  `alter table invocations add column call text;
   alter table invocations add column attempt integer;
   alter table invocations add column held_ms real;
   create index invocations_by_call on invocations (call, id) where call is not null;`,
]

/** Brings the tables up to date. Throws INVALID_INPUT when the file comes from a newer Atelier. */
export function migrateTelemetry(database: DatabaseSync, path: string): void {
  const version = Number(database.prepare('pragma user_version').get()?.['user_version'])
  if (version > STEPS.length)
    throw new AtelierError(
      'INVALID_INPUT',
      `${path} was written by a newer Atelier: start that one, or move the file away.`,
    )
  for (const [index, step] of STEPS.entries()) {
    if (index < version) continue
    database.exec(`begin immediate; ${step}; pragma user_version = ${index + 1}; commit`)
  }
}
