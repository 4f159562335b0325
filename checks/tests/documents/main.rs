//! Output for other programs and readers: reports, diffs, rules and schemas, compared with snapshots and checked with
//! other programs' parsers.

mod collect;
mod deploy;
mod report_builder;
mod reports;
mod rules;
mod samples;
mod schema;
mod watch_rounds;
