//! One thing that was looked at, and what it means for a measurement.
//!
//! ```text
//! note    huge pages      always
//!         The kernel may stop a process to put its pages together.
//!         $ echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled
//! ```

use serde::Serialize;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) section: Section,
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    /// What is.
    pub(crate) found: String,
    /// Why it matters, a sentence; empty where it is good.
    pub(crate) why: String,
    /// Commands that mend it, each on its own; empty where nothing can be done by one.
    pub(crate) mend: Vec<String>,
}

/// What it means, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// As it should be, or nothing to worry about.
    Good,
    /// It shifts figures or limits what can be measured, and a reader should know.
    WorthKnowing,
    /// A run fails, or its figures are about something else than the server.
    WillSpoil,
}

/// Where it stands in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Section {
    /// How many connections there may be.
    Connections,
    /// What processor, memory and network are like.
    Machine,
    /// Who else works on it now.
    Load,
    /// What clocks and the scheduler did when tried.
    Measured,
}

impl Check {
    pub(super) fn good(section: Section, name: &'static str, found: impl Into<String>) -> Self {
        let (why, mend) = (String::new(), Vec::new());
        Self { section, name, verdict: Verdict::Good, found: found.into(), why, mend }
    }

    /// Makes it worse than good, and says why.
    pub(super) fn because(mut self, verdict: Verdict, why: impl Into<String>) -> Self {
        self.verdict = verdict;
        self.why = why.into();
        self
    }

    pub(super) fn mend(mut self, command: impl Into<String>) -> Self {
        self.mend.push(command.into());
        self
    }
}

impl Section {
    pub(super) const ALL: [Self; 4] =
        [Self::Connections, Self::Machine, Self::Load, Self::Measured];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Connections => "Connections",
            Self::Machine => "Machine",
            Self::Load => "Load right now",
            Self::Measured => "Measured",
        }
    }
}
