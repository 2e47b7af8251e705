//! What many have answered to one question: values, and who is missing.

use super::payload::OwnedArgs;

/// The answers to an event that several were asked to acknowledge, as far as they came.
///
/// Of each client (or, for an event between servers, of each server) it has the first argument of
/// its acknowledgement, in the order in which they came.
///
/// ```
/// use std::time::Duration;
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let patient = server.to("players").timeout(Duration::from_secs(5));
/// patient.emit_with_ack::<u32>("score?", (), |io, answers| {
///     if answers.timed_out {
///         println!("{} of {} have answered", answers.values.len(), answers.expected);
///     }
///     io.emit("best", &answers.values.iter().max());
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answers<T> {
    /// The answers that came.
    pub values: Vec<T>,
    /// How many were asked.
    pub expected: usize,
    /// How many answered with something of another shape, or with more than all answers together
    /// may be long ([`answers_bytes_max`](crate::config::SocketConfig::answers_bytes_max)).
    pub rejected: usize,
    /// Whether the time-out ended it. Without one, those who are missing have left.
    pub timed_out: bool,
}

impl<T> Answers<T> {
    /// Whether everybody who was asked has answered.
    pub fn is_complete(&self) -> bool {
        self.values.len() + self.rejected == self.expected
    }
}

impl Answers<OwnedArgs> {
    /// What servers have answered, of so many that were asked; for adapters.
    ///
    /// ```
    /// use throng::adapter::Answers;
    ///
    /// let answers = Answers::of(Vec::new(), 2, true);
    /// assert!(!answers.is_complete());
    /// ```
    pub fn of(values: Vec<OwnedArgs>, expected: usize, timed_out: bool) -> Self {
        Self { values, expected, rejected: 0, timed_out }
    }

    /// The answers parsed; those of another shape are told by how many they were.
    pub(super) fn parse<T: serde::de::DeserializeOwned>(self) -> Answers<T> {
        let came = self.values.len();
        let parsed = self.values.iter().map(|args| args.as_args().get(0));
        let values: Vec<T> = parsed.filter_map(Result::ok).collect();
        let rejected = self.rejected + came - values.len();
        Answers { values, rejected, expected: self.expected, timed_out: self.timed_out }
    }
}
