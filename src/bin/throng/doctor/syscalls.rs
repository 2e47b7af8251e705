//! Whether `throng bench --pid` can count a server's system calls: tried on this thread.
//!
//! ```text
//! note    system calls    tracefs is not mounted
//!         $ sudo mount -t tracefs tracefs /sys/kernel/tracing
//! ```

use rustix::thread::gettid;

use super::check::{Check, Section, Verdict};
use crate::bench::watch::{Syscalls, SyscallsError};

pub(super) fn check() -> Check {
    let thread = gettid().as_raw_nonzero().get();
    judge(Syscalls::watch(&[thread]).map(|_| ()))
}

fn judge(tried: Result<(), SyscallsError>) -> Check {
    let check = Check::good(Section::Measured, "system calls", "can be counted");
    let Err(error) = tried else { return check };
    let (found, mend) = match &error {
        SyscallsError::Unmounted => {
            ("tracefs is not mounted", vec!["sudo mount -t tracefs tracefs /sys/kernel/tracing"])
        }
        SyscallsError::Unreadable(_) => (
            "tracefs is not for us to read",
            vec!["sudo mount -o remount,mode=755 /sys/kernel/tracing"],
        ),
        SyscallsError::Refused(_) => (
            "the kernel doesn't let us count them",
            vec!["sudo sysctl kernel.perf_event_paranoid=1"],
        ),
    };
    let check = Check { found: found.to_owned(), ..check }.because(
        Verdict::WorthKnowing,
        "What a server asks of the kernel for each delivery is left out of results with --pid; \
         all other figures stand. Root, or CAP_PERFMON, may always count.",
    );
    mend.into_iter().fold(check, Check::mend)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_keeps_calls_from_being_counted_has_a_command_that_mends_it() {
        assert_eq!(judge(Ok(())).verdict, Verdict::Good);
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        for (error, command) in [
            (SyscallsError::Unmounted, "mount -t tracefs"),
            (SyscallsError::Unreadable(denied()), "remount,mode=755"),
            (SyscallsError::Refused(denied()), "perf_event_paranoid"),
        ] {
            let check = judge(Err(error));
            assert_eq!(check.verdict, Verdict::WorthKnowing);
            assert!(check.mend[0].contains(command), "{check:?}");
        }
    }
}
