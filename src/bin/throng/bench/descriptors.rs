//! Whether the clients fit into the descriptors that a process may have. It reads and raises no
//! limit: that is done once, where the program begins.
//!
//! ```text
//! limit 20,000     19,900 clients on WebSocket, 9,950 on long-polling
//! ```

use std::fmt;

use super::plan::{Plan, Transport};

/// Most clients of one process with so many descriptors; as many as there are numbers for where
/// the limit is `None`.
pub(crate) fn clients_max(limit: Option<u64>, transport: Transport) -> u32 {
    let Some(limit) = limit else { return u32::MAX };
    let clients = limit.saturating_sub(RESERVED) / per_client(transport);
    u32::try_from(clients).unwrap_or(u32::MAX)
}

/// Whether each process of a run has descriptors for its clients.
pub(crate) fn check(plan: &Plan, limit: Option<u64>) -> Result<(), DescriptorsError> {
    let Some(limit) = limit else { return Ok(()) };
    let processes = if plan.processes { plan.shards.max(1) } else { 1 };
    let clients_max = clients_max(Some(limit), plan.transport);
    let clients = plan.clients.div_ceil(processes);
    if clients <= clients_max {
        return Ok(());
    }
    let needed = u64::from(clients) * per_client(plan.transport) + RESERVED;
    // With a limit that no client fits into, no number of processes helps.
    let workers = plan.clients.div_ceil(clients_max.max(1));
    let workers = (clients_max > 0).then_some(workers);
    Err(DescriptorsError { clients, needed, limit, workers })
}

/// Too many clients for the descriptors of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DescriptorsError {
    /// Of one process.
    pub(crate) clients: u32,
    pub(crate) needed: u64,
    pub(crate) limit: u64,
    /// With how many processes all clients fit, where there is such a number.
    pub(crate) workers: Option<u32>,
}

impl fmt::Display for DescriptorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, needed, limit, workers } = self;
        write!(
            f,
            "{clients} clients in one process need {needed} open files, and it may have {limit}: "
        )?;
        match workers {
            Some(workers) => {
                write!(f, "run with --workers {workers}, or raise the limit (ulimit -n {needed})")
            }
            None => write!(f, "raise the limit (ulimit -n {needed})"),
        }
    }
}

impl std::error::Error for DescriptorsError {}

/// A client that polls has one request open and may post beside it, until it is upgraded.
fn per_client(transport: Transport) -> u64 {
    match transport {
        Transport::Websocket => 1,
        Transport::Polling | Transport::Upgrade => 2,
    }
}

/// For the program itself: standard streams, epoll, files that are written, `/proc`.
const RESERVED: u64 = 100;

#[cfg(test)]
mod tests {
    use crate::bench::plan::tests::plan;

    use super::*;

    #[test]
    fn some_descriptors_are_the_programs_own() {
        assert_eq!(clients_max(Some(20_000), Transport::Websocket), 19_900);
        assert_eq!(clients_max(Some(20_000), Transport::Polling), 9_950);
        assert_eq!(clients_max(Some(50), Transport::Websocket), 0);
        assert_eq!(clients_max(Some(u64::MAX), Transport::Websocket), u32::MAX);
        assert_eq!(clients_max(None, Transport::Upgrade), u32::MAX);
    }

    #[test]
    fn too_many_clients_are_told_how_many_processes_hold_them() {
        let told = |line: &str, limit: u64| {
            let error = check(&plan(line), Some(limit)).expect_err("too many");
            error.to_string()
        };
        assert_eq!(
            told("idle --clients 38000", 20_000),
            "38000 clients in one process need 38100 open files, and it may have 20000: \
             run with --workers 2, or raise the limit (ulimit -n 38100)"
        );
        assert!(told("idle --clients 10000 --transport polling", 20_000).contains("--workers 2"));
        assert!(told("idle --clients 38000 --threads 2", 20_000).contains("--workers 2"));
        assert!(told("idle --clients 60000 --workers 2", 20_000).contains("--workers 4"));
        assert!(
            told("idle --clients 5", 100)
                .ends_with("it may have 100: raise the limit (ulimit -n 105)")
        );
    }

    #[test]
    fn what_fits_is_let_through() {
        assert_eq!(check(&plan("idle --clients 19900"), Some(20_000)), Ok(()));
        assert_eq!(check(&plan("idle --clients 38000 --workers 2"), Some(20_000)), Ok(()));
        assert_eq!(check(&plan("idle --clients 4000000"), None), Ok(()));
    }
}
