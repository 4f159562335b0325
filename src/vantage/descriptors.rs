//! How many sockets this machine allows.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors for the runtime, the standard streams, output files and libraries, in addition to the probes' sockets.
const RESERVED: u64 = 16;
/// Minimum for a useful run: the runtime alone needs ten.
const MIN_DESCRIPTORS: u64 = 24;
/// More is never useful, and a limit of a billion must not determine the size of anything.
const MAX_DESCRIPTORS: u64 = 16_384;

/// Raises the soft limit as far as possible, and returns the number of sockets that probes may use.
///
/// Must be called before the runtime starts, which fails or panics without descriptors.
pub(crate) fn prepare() -> Result<usize, String> {
    let (soft, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| format!("cannot read the limit of open files: {error}"))?;
    let wanted = hard.min(MAX_DESCRIPTORS).max(soft);
    let limit = if wanted > soft && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() {
        wanted
    } else {
        soft
    };
    let limit = limit.min(MAX_DESCRIPTORS);
    if limit < MIN_DESCRIPTORS {
        return Err(format!(
            "this shell allows {limit} open files and a run needs at least {MIN_DESCRIPTORS}, so nothing was probed; \
             raise the limit with: ulimit -n 1024"
        ));
    }
    Ok(usize::try_from(limit - RESERVED).unwrap_or(usize::MAX))
}
