//! What is written for others to read: reports, diffs, rules and schemas, held against snapshots and against parsers that
//! are not ours.

mod collect;
mod deploy;
mod made;
mod reports;
mod rounds;
mod rules;
mod samples;
mod schema;
