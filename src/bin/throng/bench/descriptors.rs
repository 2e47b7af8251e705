//! Whether the clients fit into the descriptors that a process may have. It reads and raises no
//! limit: that is done once, where the program begins.
//!
//! ```text
//! limit 20,000     19,900 clients on WebSocket, 9,950 on long-polling, 19,388 that upgrade
//! ```

use std::fmt;

use super::plan::{Plan, Scenario};
use super::transports::{Spread, Transport};

/// Most clients of one process with so many descriptors; as many as there are numbers for where
/// the limit is `None`.
pub(crate) fn clients_max(limit: Option<u64>, plan: &Plan) -> u32 {
    let Some(limit) = limit else { return u32::MAX };
    let (need, limit) = (Need::of(plan), limit.saturating_sub(RESERVED));
    if need.descriptors(u32::MAX) <= limit {
        return u32::MAX;
    }
    // More clients never need less: between those that fit and those that don't lies the answer.
    let (mut fits, mut exceeds) = (0, u32::MAX);
    while exceeds - fits > 1 {
        let clients = u32::midpoint(fits, exceeds);
        if need.descriptors(clients) <= limit {
            fits = clients;
        } else {
            exceeds = clients;
        }
    }
    fits
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
    let needed = Need::of(plan).descriptors(clients).saturating_add(RESERVED);
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

/// What decides how many descriptors clients need.
#[derive(Debug)]
struct Need {
    spread: Spread,
    /// Most clients on their way at a time.
    at_once: u64,
}

impl Need {
    fn of(plan: &Plan) -> Self {
        // In a storm all are on their way at once.
        let at_once = match plan.scenario {
            Scenario::Storm => u64::MAX,
            _ if plan.processes => u64::from(plan.at_once),
            _ => u64::from(plan.at_once) * u64::from(plan.shards),
        };
        Self { spread: plan.transport.spread(), at_once }
    }

    fn descriptors(&self, clients: u32) -> u64 {
        let over = |transport| u64::from(self.spread.count(transport, clients));
        let upgrading = over(Transport::Upgrade);
        // Over long-polling, one connection polls, and one posts beside it. To upgrade, a third one
        // probes, and is what remains.
        let there = over(Transport::Websocket) + 2 * over(Transport::Polling) + upgrading;
        there + 2 * upgrading.min(self.at_once)
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
    fn a_mix_needs_what_its_parts_need() {
        let most = |line: &str| clients_max(Some(20_100), &plan(line));
        // Of ten, eight need one, one needs two and one needs one and two more on its way.
        assert_eq!(most("idle --transport websocket=8,polling=1,upgrade=1 --at-once 10"), 18_163);
        // One after the other, of one and of two.
        assert_eq!(most("idle --transport websocket=1,polling=1"), 13_333);
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
