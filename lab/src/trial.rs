//! Tests of which each does its job in a lab of its own.

use libtest_mimic::Trial;

use crate::{Forbidden, do_job, probe};

/// What forbids a lab here, which stderr is told as well; `None` where one can be had.
pub fn forbidden() -> Option<Forbidden> {
    let forbidden = probe().err();
    if let Some(why) = &forbidden {
        eprintln!("{why}");
    }
    forbidden
}

/// A test that does a job. Where something is in the way it refuses even when asked for: outside the lab the agent would
/// reach for real hosts.
pub fn trial(name: impl Into<String>, job: impl Into<String>, obstacle: Option<Forbidden>) -> Trial {
    let job = job.into();
    let left_out = obstacle.as_ref().is_some_and(Forbidden::may_be_left_out);
    Trial::test(name, move || {
        obstacle.map_or(Ok(()), Err)?;
        do_job(&job).map_err(|error| format!("{error:#}").into())
    })
    .with_ignored_flag(left_out)
}
