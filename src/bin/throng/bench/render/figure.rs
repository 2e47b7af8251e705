//! The figures that results are compared by: what each is called, where it stands in a result,
//! and whether more of it is better.
//!
//! ```text
//! p99 = 51.2 ms     server CPU per delivery = 6.11 µs     RSS per connection = 712 B
//! ```

use super::units;
use crate::bench::latency::{Measure, Percentiles};
use crate::bench::plan::Scenario;
use crate::bench::report::{Latency, Report};

/// One figure of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// A percentile of one measure.
    Latency(Measure, Point),
    /// The median of the client whose median is the worst.
    WorstClient,
    /// Of the server, over deliveries and answers.
    DeliveryCpu,
    /// Of the server, over the connections of the connect phase.
    ConnectCpu,
    /// Of the generator, over deliveries and answers.
    GeneratorDeliveryCpu,
    /// Of the generator, over the connections that are all it does.
    GeneratorConnectCpu,
    /// System calls of the server, over deliveries and answers.
    DeliverySyscalls,
    /// System calls of the server, over the connections of the connect phase.
    ConnectSyscalls,
    /// Share of one core that the server used while it was measured.
    ServerShare,
    /// Resident memory of the server, over its connections.
    Resident,
    /// Resident memory of the server at its most.
    ResidentMax,
    /// Clients that read slowly and were closed by the server.
    SlowClosed,
    /// The kernel's socket memory, both ends, over the connections.
    KernelMemory,
    /// Deliveries and answers per second.
    Received,
    /// Connections per second.
    ConnectRate,
    /// Share of what had to come and did not.
    Loss,
    /// The greatest load that kept the limits of a search.
    Found,
}

/// A point of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    P50,
    P90,
    P99,
    P99_9,
    P99_99,
    Max,
}

/// Which change of a figure is a change for the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Less,
    More,
}

impl Figure {
    /// The figure of a result; `None` where the run has none.
    pub(crate) fn of(self, report: &Report) -> Option<f64> {
        let server = report.server.as_ref();
        match self {
            Self::Latency(measure, point) => point.of(latency(report, measure)?).map(units::real),
            Self::WorstClient => Some(units::real(report.fairness.as_ref()?.p50?.worst_ns)),
            Self::DeliveryCpu => server?.cpu_us_per_delivery,
            Self::ConnectCpu => server?.cpu_us_per_connect,
            Self::GeneratorDeliveryCpu => report.generator.cpu_us_per_delivery,
            Self::GeneratorConnectCpu => {
                let connections = report.connections.connected;
                (connections > 0)
                    .then(|| report.generator.cpu_seconds * 1e6 / units::real(connections))
            }
            Self::DeliverySyscalls => server?.syscalls_per_delivery,
            Self::ConnectSyscalls => server?.syscalls_per_connect,
            Self::ServerShare => server.map(|server| server.core_share),
            Self::Resident => server?.resident_bytes_per_connection,
            Self::ResidentMax => server.map(|server| units::real(server.resident_max_bytes)),
            Self::SlowClosed => Some(units::real(report.connections.slow_lost)),
            Self::KernelMemory => server?.kernel_socket_bytes_per_connection,
            // A rate at which the generator had to stop is not the server's.
            Self::Received | Self::ConnectRate if report.generator.is_bottleneck => None,
            Self::Received => {
                (report.traffic.received > 0).then_some(report.traffic.received_per_second)
            }
            Self::ConnectRate => Some(report.connections.per_second),
            Self::Loss => (report.traffic.expected > 0).then(|| {
                units::real(report.traffic.missing) / units::real(report.traffic.expected)
            }),
            Self::Found => report.search.as_ref()?.found,
        }
    }

    /// The head of its column.
    pub(crate) fn title(self) -> String {
        match self {
            Self::Latency(measure, point) => format!("{} {}", measure.title(), point.name()),
            Self::WorstClient => "worst client's p50".to_owned(),
            Self::DeliveryCpu => "server CPU per delivery".to_owned(),
            Self::ConnectCpu => "server CPU per connect".to_owned(),
            Self::GeneratorDeliveryCpu => "generator CPU per delivery".to_owned(),
            Self::GeneratorConnectCpu => "generator CPU per connect".to_owned(),
            Self::DeliverySyscalls => "server system calls per delivery".to_owned(),
            Self::ConnectSyscalls => "server system calls per connect".to_owned(),
            Self::ServerShare => "server CPU".to_owned(),
            Self::Resident => "RSS per connection".to_owned(),
            Self::ResidentMax => "RSS at most".to_owned(),
            Self::SlowClosed => "slow clients closed".to_owned(),
            Self::KernelMemory => "kernel memory per connection".to_owned(),
            Self::Received => "received per second".to_owned(),
            Self::ConnectRate => "connects per second".to_owned(),
            Self::Loss => "lost".to_owned(),
            Self::Found => "greatest load".to_owned(),
        }
    }

    /// A value of it with its unit.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Latency(..) | Self::WorstClient => units::time(value),
            Self::DeliveryCpu
            | Self::ConnectCpu
            | Self::GeneratorDeliveryCpu
            | Self::GeneratorConnectCpu => units::microseconds(value),
            Self::ServerShare | Self::Loss => units::percent(value),
            Self::Resident | Self::ResidentMax | Self::KernelMemory => units::bytes(value),
            Self::DeliverySyscalls
            | Self::ConnectSyscalls
            | Self::Received
            | Self::ConnectRate
            | Self::SlowClosed
            | Self::Found => units::rate(value),
        }
    }

    pub(crate) fn better(self) -> Better {
        match self {
            Self::Received | Self::ConnectRate | Self::Found => Better::More,
            _ => Better::Less,
        }
    }

    /// What tells results of one scenario apart.
    pub(crate) fn of_scenario(scenario: &Scenario) -> Vec<Self> {
        use Measure::{Connect, Delivery, LastRecipient, Reconnect, ReconnectOwn, RoundTrip};
        use Point::{Max, P50, P99, P99_9};
        let latency = |measure, points: &[Point]| -> Vec<Self> {
            points.iter().map(|point| Self::Latency(measure, *point)).collect()
        };
        let mut figures = match scenario {
            Scenario::Connect => latency(Connect, &[P50, P99]),
            Scenario::Idle => Vec::new(),
            Scenario::Echo | Scenario::Ack => {
                let mut figures = latency(RoundTrip, &[P50, P99, P99_9]);
                figures.push(Self::WorstClient);
                figures
            }
            Scenario::Storm => {
                let mut figures = latency(Reconnect, &[P50, P99, Max]);
                figures.extend(latency(ReconnectOwn, &[P50, P99]));
                figures
            }
            Scenario::Broadcast { .. }
            | Scenario::Rooms { .. }
            | Scenario::Slow { .. }
            | Scenario::Churn { .. } => {
                let mut figures = latency(Delivery, &[P50, P99, P99_9]);
                figures.push(Self::WorstClient);
                figures.extend(latency(LastRecipient, &[P50]));
                figures
            }
            Scenario::Mixed { .. } => {
                let mut figures = latency(RoundTrip, &[P50, P99, P99_9]);
                figures.push(Self::WorstClient);
                figures.extend(latency(Delivery, &[P50, P99]));
                figures
            }
        };
        figures.extend_from_slice(match scenario {
            Scenario::Connect => &[
                Self::ConnectRate,
                Self::ConnectCpu,
                Self::GeneratorConnectCpu,
                Self::ConnectSyscalls,
                Self::Resident,
            ],
            Scenario::Storm => {
                &[Self::ConnectRate, Self::ConnectCpu, Self::ConnectSyscalls, Self::Resident]
            }
            Scenario::Idle => {
                &[Self::Resident, Self::KernelMemory, Self::ServerShare, Self::ConnectCpu]
            }
            Scenario::Slow { .. } => &[
                Self::Received,
                Self::DeliveryCpu,
                Self::GeneratorDeliveryCpu,
                Self::DeliverySyscalls,
                Self::Resident,
                Self::ResidentMax,
                Self::SlowClosed,
            ],
            _ => &[
                Self::Received,
                Self::DeliveryCpu,
                Self::GeneratorDeliveryCpu,
                Self::DeliverySyscalls,
                Self::Resident,
            ],
        });
        figures
    }
}

impl Point {
    pub(crate) const ALL: [Self; 6] =
        [Self::P50, Self::P90, Self::P99, Self::P99_9, Self::P99_99, Self::Max];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P99_9 => "p99.9",
            Self::P99_99 => "p99.99",
            Self::Max => "max",
        }
    }

    /// `None` where too few samples stand behind it.
    pub(crate) fn of(self, latency: &Latency) -> Option<u64> {
        self.of_percentiles(&latency.percentiles_ns, Some(latency.max_ns))
    }

    pub(crate) fn of_percentiles(
        self,
        percentiles: &Percentiles,
        max_ns: Option<u64>,
    ) -> Option<u64> {
        match self {
            Self::P50 => percentiles.p50,
            Self::P90 => percentiles.p90,
            Self::P99 => percentiles.p99,
            Self::P99_9 => percentiles.p99_9,
            Self::P99_99 => percentiles.p99_99,
            Self::Max => max_ns,
        }
    }
}

pub(crate) fn latency(report: &Report, measure: Measure) -> Option<&Latency> {
    report.latencies.iter().find(|latency| latency.measure == measure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::render::sample;

    #[test]
    fn figures_come_from_where_they_stand() {
        let report = sample::broadcast("throng", 1.0);
        // (1.8 + 7.4) s over 1.5 million deliveries.
        let per_delivery = Figure::DeliveryCpu.of(&report).unwrap();
        assert!((per_delivery - 6.133_333).abs() < 1e-5);
        assert_eq!(Figure::DeliveryCpu.show(per_delivery), "6.13\u{a0}µs");
        assert_eq!(Figure::GeneratorDeliveryCpu.of(&report), Some(1.32));
        // 12.3 s over 10,000 connections.
        assert_eq!(Figure::GeneratorConnectCpu.of(&report), Some(1_230.0));
        assert_eq!(Figure::Loss.of(&report), Some(0.0));
        assert_eq!(Figure::Received.of(&report), Some(50_000.0));
        assert_eq!(Figure::WorstClient.of(&report), Some(31.5e6));
        assert_eq!(Figure::Latency(Measure::RoundTrip, Point::P50).of(&report), None);
    }

    #[test]
    fn a_percentile_of_too_few_samples_is_none() {
        let report = sample::broadcast("throng", 1.0);
        assert_eq!(Figure::Latency(Measure::LastRecipient, Point::P99).of(&report), None);
        assert!(Figure::Latency(Measure::LastRecipient, Point::Max).of(&report).is_some());
    }
}
