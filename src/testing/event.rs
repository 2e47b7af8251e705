//! What a test's client has heard, and what a test expects it to have heard.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::socketio::payload::{Args, ArgsError, IntoArgs, OwnedArgs};

/// One event as a client received it.
///
/// Two are equal if name and arguments are, attachments included, and if both ask for an
/// acknowledgement or neither does. How the JSON was written doesn't matter.
///
/// ```
/// use throng::testing::{TestServer, event};
///
/// let mut test = TestServer::new(|server| {
///     server.of("/").on_connect(|socket| {
///         socket.emit("welcome", ("to the room", 7));
///     });
/// });
/// let alice = test.connect("/").unwrap();
/// let events = test.received(alice);
/// assert_eq!(events, [event("welcome", ("to the room", 7))]);
/// assert_eq!(events[0].name(), "welcome");
/// assert_eq!(events[0].parse::<(String, u8)>(), Ok(("to the room".to_owned(), 7)));
/// ```
#[derive(Clone)]
pub struct Event {
    name: String,
    args: OwnedArgs,
    pub(super) ack: Option<u64>,
    /// It is expected to ask, whatever the number.
    asks: bool,
}

/// An event to compare others with, which asks for no acknowledgement.
///
/// # Panics
/// If an argument can't be serialised.
///
/// ```
/// use throng::testing::event;
///
/// assert_eq!(event("news", &["a", "b"]), event("news", &vec!["a", "b"]));
/// assert_ne!(event("news", ()), event("news", ()).asking());
/// ```
pub fn event(name: &str, args: impl IntoArgs) -> Event {
    match OwnedArgs::new(args) {
        Ok(args) => Event { name: name.to_owned(), args, ack: None, asks: false },
        Err(error) => panic!("the arguments of {name}: {error}"),
    }
}

impl Event {
    pub(super) fn heard(name: String, args: OwnedArgs, ack: Option<u64>) -> Self {
        Self { name, args, ack, asks: ack.is_some() }
    }

    /// The same, with an acknowledgement asked for; to compare others with.
    #[must_use]
    pub fn asking(mut self) -> Self {
        self.asks = true;
        self
    }

    /// The event's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The arguments as they came.
    pub fn args(&self) -> Args<'_> {
        self.args.as_args()
    }

    /// The arguments, parsed as those of a handler; see [`Args::parse`].
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        self.args().parse()
    }

    /// Whether the server asked for an acknowledgement, which
    /// [`TestServer::acknowledge`](super::TestServer::acknowledge) gives.
    pub fn asks(&self) -> bool {
        self.asks
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.asks == other.asks && same(self.args(), other.args())
    }
}

/// Whether two lists of arguments say the same.
fn same(left: Args<'_>, right: Args<'_>) -> bool {
    let values = |args: Args<'_>| serde_json::from_str::<Value>(&format!("[{}]", args.json())).ok();
    left.json() == right.json() && left.attachments().eq(right.attachments())
        || values(left) == values(right) && left.attachments().eq(right.attachments())
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.args().json())?;
        for attachment in self.args().attachments() {
            write!(f, " {attachment:?}")?;
        }
        f.write_str(if self.asks { " asking" } else { "" })
    }
}
