//! What one server passes on to the other, as JSON: adapters exchange bytes.
//!
//! ```text
//! {"Event":{"event":{"name":"said","args":{"json":"\"hi\"","attachments":[]}},"whom":{...}}}
//! ```

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throng::adapter::{BroadcastOptions, OutgoingEvent};
use throng::{Args, OwnedArgs};

#[derive(Serialize, Deserialize)]
pub(crate) enum Passed {
    Event { event: Event, whom: Whom },
    Ask { number: u64, event: Event, whom: Whom },
    Asked { number: u64, clients: usize },
    Answered { number: u64, args: Arguments },
    Left { number: u64 },
    Join { whom: Whom, rooms: Vec<String> },
    Leave { whom: Whom, rooms: Vec<String> },
    Disconnect { whom: Whom, close: bool },
    ServerSide { event: Event },
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) args: Arguments,
}

/// Arguments: a JSON array without its brackets, and the bytes that it refers to.
#[derive(Serialize, Deserialize)]
pub(crate) struct Arguments {
    json: String,
    attachments: Vec<Vec<u8>>,
}

/// Whom it concerns, and how.
#[derive(Serialize, Deserialize)]
pub(crate) struct Whom {
    rooms: Vec<String>,
    except: Vec<String>,
    volatile: bool,
    timeout: Option<Duration>,
}

impl Event {
    pub(crate) fn new(name: &str, args: Args<'_>) -> Self {
        Self { name: name.to_owned(), args: Arguments::new(args) }
    }

    pub(crate) fn of(event: &OutgoingEvent) -> Option<Self> {
        let (name, args) = event.read()?;
        Some(Self::new(&name, args))
    }
}

impl Arguments {
    pub(crate) fn new(args: Args<'_>) -> Self {
        let attachments = args.attachments().map(<[u8]>::to_vec).collect();
        Self { json: args.json().into_owned(), attachments }
    }

    /// Those of another server are legal; none, if they weren't.
    pub(crate) fn read(&self) -> OwnedArgs {
        let attachments = self.attachments.iter().map(|bytes| bytes.as_slice().into()).collect();
        OwnedArgs::with_attachments(&self.json, attachments).unwrap_or_default()
    }
}

impl Whom {
    pub(crate) fn new(options: &BroadcastOptions) -> Self {
        Self {
            rooms: names(options.rooms()),
            except: options.except().map(str::to_owned).collect(),
            volatile: options.volatile,
            timeout: options.timeout,
        }
    }

    pub(crate) fn options(&self) -> BroadcastOptions {
        let mut options = BroadcastOptions::new(&self.rooms, &self.except);
        options.volatile = self.volatile;
        options.timeout = self.timeout;
        options
    }
}

pub(crate) fn names(rooms: &[Rc<str>]) -> Vec<String> {
    rooms.iter().map(|room| room.to_string()).collect()
}

pub(crate) fn shared(rooms: &[String]) -> Vec<Rc<str>> {
    rooms.iter().map(|room| Rc::from(room.as_str())).collect()
}
