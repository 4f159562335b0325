//! Tests that each run their job in a separate lab.

use libtest_mimic::Trial;

use crate::{Forbidden, do_job, probe};

/// Why no lab can be created here, also written to stderr; `None` if one can.
pub fn forbidden() -> Option<Forbidden> {
    let forbidden = probe().err();
    if let Some(why) = &forbidden {
        eprintln!("{why}");
    }
    forbidden
}

/// A test that runs a job. If no lab can be created, it does not run even if it is selected: outside the lab the agent
/// would contact real hosts.
pub fn trial(name: impl Into<String>, job: impl Into<String>, obstacle: Option<Forbidden>) -> Trial {
    let job = job.into();
    let left_out = obstacle.as_ref().is_some_and(Forbidden::may_be_left_out);
    Trial::test(name, move || {
        obstacle.map_or(Ok(()), Err)?;
        do_job(&job).map_err(|error| format!("{error:#}").into())
    })
    .with_ignored_flag(left_out)
}
