//! What the adapters of a simulated cluster say to each other, in JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use throng::adapter::{BroadcastOptions, SocketSnapshot};
use throng::{Args, OwnedArgs};

/// One message, with the node it comes from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wire {
    pub(crate) from: usize,
    pub(crate) body: Body,
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Body {
    /// `own` names the event among those that its sender keeps until the stream has it.
    Broadcast {
        event: Event,
        options: Options,
        own: Option<u64>,
    },
    Ask {
        request: u64,
        event: Event,
        options: Options,
    },
    Asked {
        request: u64,
        clients: usize,
    },
    Answered {
        request: u64,
        args: Arguments,
    },
    Left {
        request: u64,
    },
    Fetch {
        request: u64,
        options: Options,
    },
    Fetched {
        request: u64,
        sockets: Vec<SocketSnapshot>,
    },
    Join {
        options: Options,
        rooms: Vec<String>,
    },
    Leave {
        options: Options,
        rooms: Vec<String>,
    },
    Disconnect {
        options: Options,
        close: bool,
    },
    ServerSide {
        request: Option<u64>,
        event: Event,
    },
    ServerAnswered {
        request: u64,
        args: Arguments,
    },
    /// The store is to be looked into for a client that comes back.
    Restore {
        request: u64,
        pid: String,
        offset: String,
    },
}

/// An event, by name and arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) args: Arguments,
}

/// Arguments: a JSON array without its brackets, and what is binary in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Arguments {
    json: String,
    attachments: Vec<Vec<u8>>,
}

/// What of the options concerns other servers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Options {
    rooms: Vec<String>,
    except: Vec<String>,
    volatile: bool,
    compress: bool,
    timeout_ms: Option<u64>,
}

impl Arguments {
    pub(crate) fn of(args: Args<'_>) -> Self {
        let attachments = args.attachments().map(<[u8]>::to_vec).collect();
        Self { json: args.json().into_owned(), attachments }
    }

    pub(crate) fn owned(&self) -> OwnedArgs {
        let attachments = self.attachments.iter().map(|bytes| bytes.as_slice().into());
        OwnedArgs::with_attachments(&self.json, attachments.collect())
            .expect("what servers send is legal")
    }
}

impl Options {
    pub(crate) fn of(options: &BroadcastOptions) -> Self {
        let timeout = options.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap());
        Self {
            rooms: options.rooms().iter().map(|room| room.to_string()).collect(),
            except: options.except().map(str::to_owned).collect(),
            volatile: options.volatile,
            compress: options.compress,
            timeout_ms: timeout,
        }
    }

    pub(crate) fn restored(&self) -> BroadcastOptions {
        let mut options = BroadcastOptions::new(&self.rooms, &self.except);
        options.volatile = self.volatile;
        options.compress = self.compress;
        options.timeout = self.timeout_ms.map(Duration::from_millis);
        options
    }
}
