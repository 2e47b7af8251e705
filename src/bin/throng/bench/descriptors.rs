//! Whether the clients fit into the descriptors that a process may have. It reads and raises no
//! limit: that is done once, where the program begins.
//!
//! ```text
//! limit 20,000     19,900 clients on WebSocket, 9,950 on long-polling, 19,388 that upgrade
//! ```

use std::fmt;

use super::plan::{Plan, Scenario, Transport};

/// Most clients of one process with so many descriptors; as many as there are numbers for where
/// the limit is `None`.
pub(crate) fn clients_max(limit: Option<u64>, plan: &Plan) -> u32 {
    let Some(limit) = limit else { return u32::MAX };
    let Need { on_the_way, at_once, there } = Need::of(plan);
    let limit = limit.saturating_sub(RESERVED);
    let extra = at_once.saturating_mul(on_the_way - there);
    let few = limit / on_the_way;
    let clients = if few < at_once { few } else { limit.saturating_sub(extra) / there };
    u32::try_from(clients).unwrap_or(u32::MAX)
}

/// Whether each process of a run has descriptors for its clients.
pub(crate) fn check(plan: &Plan, limit: Option<u64>) -> Result<(), DescriptorsError> {
    // Other hosts have limits of their own, and raise them themselves.
    let Some(limit) = limit.filter(|_| plan.hosts.is_empty()) else { return Ok(()) };
    let processes = if plan.processes { plan.shards.max(1) } else { 1 };
    let clients_max = clients_max(Some(limit), plan);
    let clients = plan.clients.div_ceil(processes);
    if clients <= clients_max {
        return Ok(());
    }
    let needed = Need::of(plan).descriptors(u64::from(clients)).saturating_add(RESERVED);
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

/// Descriptors of clients that are on their way in, and of those that are there.
#[derive(Clone, Copy, Debug)]
struct Need {
    on_the_way: u64,
    /// Most clients on their way at a time.
    at_once: u64,
    there: u64,
}

impl Need {
    fn of(plan: &Plan) -> Self {
        // In a storm all are on their way at once.
        let at_once = match plan.scenario {
            Scenario::Storm => u64::MAX,
            _ if plan.processes => u64::from(plan.at_once),
            _ => u64::from(plan.at_once) * u64::from(plan.shards),
        };
        match plan.transport {
            Transport::Websocket => Self { on_the_way: 1, at_once, there: 1 },
            // One connection polls, and one posts beside it.
            Transport::Polling => Self { on_the_way: 2, at_once, there: 2 },
            // A third one probes, and is what remains.
            Transport::Upgrade => Self { on_the_way: 3, at_once, there: 1 },
        }
    }

    fn descriptors(self, clients: u64) -> u64 {
        let extra = self.at_once.min(clients) * (self.on_the_way - self.there);
        (clients * self.there).saturating_add(extra)
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
        let most = |line: &str, limit: Option<u64>| clients_max(limit, &plan(line));
        assert_eq!(most("idle", Some(20_000)), 19_900);
        assert_eq!(most("idle --transport polling", Some(20_000)), 9_950);
        assert_eq!(most("idle", Some(50)), 0);
        assert_eq!(most("idle", Some(u64::MAX)), u32::MAX);
        assert_eq!(most("idle --transport upgrade", None), u32::MAX);
    }

    #[test]
    fn those_who_upgrade_need_more_while_they_do() {
        let most = |line: &str, limit: u64| clients_max(Some(limit), &plan(line));
        // 19,900 = 19,388 + 2 * 256
        assert_eq!(most("idle --transport upgrade", 20_000), 19_388);
        assert_eq!(most("idle --transport upgrade --at-once 10 --threads 2", 20_000), 19_860);
        assert_eq!(most("idle --transport upgrade --at-once 10 --workers 2", 20_000), 19_880);
        assert_eq!(most("storm --transport upgrade", 20_000), 6_633);
        assert_eq!(most("idle --transport upgrade", 400), 100);
        let plan = |line: &str| check(&plan(line), Some(20_000));
        assert_eq!(plan("idle --clients 19388 --transport upgrade"), Ok(()));
        let error = plan("idle --clients 19389 --transport upgrade").expect_err("too many");
        assert_eq!((error.needed, error.workers), (20_001, Some(2)));
        let error = plan("storm --clients 6634 --transport upgrade").expect_err("too many");
        assert_eq!((error.needed, error.workers), (20_002, Some(2)));
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
