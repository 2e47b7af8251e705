//! Who was told what, kept by neither server nor client: the invariants of a run.
//!
//! The app under test writes down each packet that it causes, in the order it causes them and for
//! every recipient; the clients hold what arrives against that. Order, loss, duplicates, rooms and
//! acknowledgements are all judged by this one comparison. What is found wrong is kept until the
//! end of the step: a panic within a handler would be caught by the server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use throng::{DisconnectReason, SocketId};

/// All accounts of a run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) accounts: Vec<Account>,
    /// The sockets in a room, by namespace and name; what the server's own rooms must equal.
    rooms: BTreeMap<(usize, String), BTreeSet<usize>>,
    members: [BTreeSet<usize>; 2],
    failures: Vec<String>,
    /// How many packets arrived as they were owed.
    pub(crate) settled: u64,
    /// Why sessions and sockets ended: a run that never sees a reason tests nothing of it.
    pub(crate) reasons: BTreeMap<&'static str, u64>,
}

/// One client: its session, and its sockets one after the other.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// What the server has said to the session and the client not yet heard.
    owed: VecDeque<Owed>,
    /// The number that the client's next event must bear.
    next: u64,
    /// Nothing may end this client's session but the client.
    pub(crate) is_safe: bool,
    /// Nothing more will be said to it.
    is_sealed: bool,
    sockets: Vec<Record>,
    asked: u64,
    answered: u64,
}

/// The life of one socket.
#[derive(Debug)]
struct Record {
    id: SocketId,
    space: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connected,
    Disconnecting,
    Disconnected,
}

/// A Socket.IO packet that a client is to hear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    pub(crate) text: String,
    pub(crate) attachments: Vec<Vec<u8>>,
    /// It was volatile: it may be missing.
    pub(crate) is_optional: bool,
}

impl Ledger {
    /// Opens the account of the next client.
    pub(crate) fn add(&mut self, is_safe: bool) {
        self.accounts.push(Account { is_safe, ..Account::default() });
    }

    pub(crate) fn fail(&mut self, what: String) {
        self.failures.push(what);
    }

    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    pub(crate) fn owe(&mut self, client: usize, owed: Owed) {
        if !self.accounts[client].is_sealed {
            self.accounts[client].owed.push_back(owed);
        }
    }

    /// The client goes, or is made to: its session may end.
    pub(crate) fn part(&mut self, client: usize) {
        self.accounts[client].is_safe = false;
    }

    /// The server has closed the session: what is owed by now is all that will come.
    pub(crate) fn seal(&mut self, client: usize) {
        self.accounts[client].is_sealed = true;
        self.accounts[client].is_safe = false;
    }

    /// The namespaces whose sockets the server is about to send away, in the order they joined.
    pub(crate) fn spaces(&self, client: usize) -> Vec<usize> {
        let sockets = self.accounts[client].sockets.iter();
        sockets.filter(|s| s.stage == Stage::Connected).map(|s| s.space).collect()
    }

    /// A client heard a packet: it must be the next that it is owed.
    pub(crate) fn settle(&mut self, client: usize, text: &str, attachments: &[Vec<u8>]) {
        let queue = &mut self.accounts[client].owed;
        while let Some(owed) = queue.pop_front() {
            if owed.text == text && owed.attachments == attachments {
                self.settled += 1;
                return;
            }
            if !owed.is_optional {
                let (expected, next) = (owed.text, queue.front().map(|owed| &owed.text));
                let failure =
                    format!("client {client} heard {text}, owed {expected}, then {next:?}");
                return self.fail(failure);
            }
        }
        self.fail(format!("client {client} heard {text}, owed nothing"));
    }

    pub(crate) fn is_settled(&self, client: usize) -> bool {
        self.accounts[client].owed.iter().all(|owed| owed.is_optional)
    }

    pub(crate) fn first_owed(&self, client: usize) -> Option<&str> {
        self.accounts[client].owed.front().map(|owed| owed.text.as_str())
    }

    pub(crate) fn heard(&self, client: usize) -> u64 {
        self.accounts[client].next
    }

    /// The server heard an event with this number.
    pub(crate) fn hear(&mut self, client: usize, number: u64) {
        let next = self.accounts[client].next;
        if next != number {
            self.fail(format!("of client {client} event {number} came instead of {next}"));
        }
        self.accounts[client].next = number + 1;
    }

    pub(crate) fn ask(&mut self, client: usize) {
        self.accounts[client].asked += 1;
    }

    pub(crate) fn answer(&mut self, client: usize) {
        self.accounts[client].answered += 1;
    }
}

/// Sockets and rooms.
impl Ledger {
    /// Of EIO 3 a client that comes back to a namespace has the id that it had.
    pub(crate) fn connect(&mut self, client: usize, space: usize, id: SocketId, is_v3: bool) {
        let mut others =
            self.accounts.iter().enumerate().flat_map(|(owner, account)| {
                account.sockets.iter().map(move |record| (owner, record))
            });
        let twice = others.any(|(owner, record)| {
            let is_back = is_v3 && owner == client && record.stage == Stage::Disconnected;
            record.id == id && !is_back
        });
        if twice {
            self.fail(format!("socket {id} connected twice"));
        }
        self.accounts[client].sockets.push(Record { id, space, stage: Stage::Connected });
        self.members[space].insert(client);
    }

    pub(crate) fn disconnecting(&mut self, client: usize, id: &SocketId, reason: DisconnectReason) {
        self.step(client, id, Stage::Connected, Stage::Disconnecting);
        *self.reasons.entry(reason.label()).or_default() += 1;
        let is_wanted = matches!(
            reason,
            DisconnectReason::ClientNamespaceDisconnect
                | DisconnectReason::ServerNamespaceDisconnect
        );
        if self.accounts[client].is_safe && !is_wanted {
            let label = reason.label();
            self.fail(format!("client {client} did nothing wrong and was closed: {label}"));
        }
    }

    pub(crate) fn disconnect(&mut self, client: usize, space: usize, id: &SocketId) {
        self.step(client, id, Stage::Disconnecting, Stage::Disconnected);
        self.members[space].remove(&client);
        for ((of, _), members) in &mut self.rooms {
            if *of == space {
                members.remove(&client);
            }
        }
    }

    fn step(&mut self, client: usize, id: &SocketId, from: Stage, to: Stage) {
        // The last one, of a client that came back as what it had been.
        let mut sockets = self.accounts[client].sockets.iter_mut();
        let record = sockets.rfind(|record| record.id == *id);
        let Some(record) = record else {
            return self.fail(format!("socket {id} ended and had never connected"));
        };
        let was = std::mem::replace(&mut record.stage, to);
        if was != from {
            self.fail(format!("socket {id} of client {client} went from {was:?} to {to:?}"));
        }
    }

    pub(crate) fn join(&mut self, client: usize, space: usize, room: &str) {
        self.rooms.entry((space, room.to_owned())).or_default().insert(client);
    }

    pub(crate) fn leave(&mut self, client: usize, space: usize, room: &str) {
        if let Some(members) = self.rooms.get_mut(&(space, room.to_owned())) {
            members.remove(&client);
        }
    }

    /// Who is in any of the rooms, or in the namespace if none is named.
    pub(crate) fn members(&self, space: usize, rooms: &[&str]) -> BTreeSet<usize> {
        if rooms.is_empty() {
            return self.members[space].clone();
        }
        let of = |room: &&str| self.rooms.get(&(space, (*room).to_owned()));
        rooms.iter().filter_map(of).flatten().copied().collect()
    }

    /// How many sockets are connected at this moment.
    pub(crate) fn connected_len(&self) -> usize {
        self.accounts
            .iter()
            .flat_map(|account| &account.sockets)
            .filter(|record| record.stage != Stage::Disconnected)
            .count()
    }

    pub(crate) fn members_len(&self) -> usize {
        self.members.iter().map(BTreeSet::len).sum()
    }

    /// What must hold when everybody has gone.
    pub(crate) fn close(&mut self) {
        let mut found = Vec::new();
        for (client, account) in self.accounts.iter().enumerate() {
            for record in &account.sockets {
                if record.stage != Stage::Disconnected {
                    let (id, stage, space) = (&record.id, record.stage, record.space);
                    found.push(format!("client {client}: {id} in {space} is left {stage:?}"));
                }
            }
            if account.asked != account.answered {
                let Account { asked, answered, .. } = account;
                found.push(format!("client {client}: {asked} questions, {answered} answers"));
            }
        }
        self.failures.append(&mut found);
    }
}

impl From<String> for Owed {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}
