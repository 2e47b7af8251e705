//! What carries the messages of a simulated cluster: a channel that delays, loses and reorders by
//! seed, a stream that keeps everything in one order, and a store of sessions.
//!
//! ```text
//! publish(from 0, to all)    arrives at 1 and 2, each after a delay of its own
//! append("..") -> 17-0       arrives at 0, 1 and 2, in the stream's order
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use throng::adapter::SavedSession;

/// The bus, shared by all adapters of a cluster.
pub(crate) type Shared = Rc<RefCell<Bus>>;

/// An entry of the stream, with its offset before it.
pub(crate) type Entry = (String, Vec<u8>);

/// What is on its way, and what is kept.
pub(crate) struct Bus {
    pub(crate) now: Duration,
    /// Of a thousand messages on the channel so many are lost.
    pub(crate) lost_of_1000: u64,
    pub(crate) delay_max: Duration,
    /// One entry for each adapter: of a server as many as it has namespaces.
    nodes: Vec<usize>,
    arriving: BTreeMap<(Duration, u64), Arrival>,
    stream: Vec<Entry>,
    /// When the last entry of the stream arrives at each node: it must not be overtaken.
    stream_arrives: HashMap<usize, Duration>,
    sessions: HashMap<String, SavedSession>,
    serial: u64,
    random: u64,
}

/// Bytes that arrive at a node, for the adapter of a namespace.
#[derive(Clone)]
pub(crate) struct Arrival {
    pub(crate) node: usize,
    pub(crate) namespace: String,
    pub(crate) bytes: Vec<u8>,
}

impl Bus {
    pub(crate) fn new(seed: u64) -> Shared {
        Rc::new(RefCell::new(Self {
            now: Duration::ZERO,
            lost_of_1000: 0,
            delay_max: Duration::from_millis(20),
            nodes: Vec::new(),
            arriving: BTreeMap::new(),
            stream: Vec::new(),
            stream_arrives: HashMap::new(),
            sessions: HashMap::new(),
            serial: 0,
            random: seed.wrapping_mul(2).wrapping_add(1),
        }))
    }

    pub(crate) fn join(&mut self, node: usize) {
        self.nodes.push(node);
    }

    pub(crate) fn leave(&mut self, node: usize) {
        if let Some(place) = self.nodes.iter().position(|&kept| kept == node) {
            self.nodes.remove(place);
        }
    }

    /// How many servers there are.
    pub(crate) fn nodes_len(&self) -> usize {
        self.distinct_nodes().len()
    }

    /// Each server once, however many namespaces it has.
    fn distinct_nodes(&self) -> Vec<usize> {
        let mut nodes = Vec::new();
        for &node in &self.nodes {
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        nodes
    }

    /// Sends on the channel, to one node or to all others.
    pub(crate) fn publish(
        &mut self,
        from: usize,
        to: Option<usize>,
        namespace: &str,
        bytes: &[u8],
    ) {
        for node in self.distinct_nodes() {
            let is_meant = to.map_or(node != from, |to| to == node);
            if is_meant && self.random(1_000) >= self.lost_of_1000 {
                let at = self.now + self.delay();
                self.arrive(at, node, namespace, bytes.to_vec());
            }
        }
    }

    /// Appends to the stream; the entry arrives at all nodes, the sender among them, in order and
    /// behind its offset and a space.
    pub(crate) fn append(&mut self, namespace: &str, bytes: &[u8]) {
        self.serial += 1;
        let offset = format!("{}-{}", self.now.as_millis(), self.serial);
        self.stream.push((offset.clone(), bytes.to_vec()));
        let entry = [offset.as_bytes(), b" ", bytes].concat();
        for node in self.distinct_nodes() {
            let delayed = self.now + self.delay();
            let arrives = self.stream_arrives.entry(node).or_default();
            *arrives = delayed.max(*arrives);
            let at = *arrives;
            self.arrive(at, node, namespace, entry.clone());
        }
    }

    pub(crate) fn save(&mut self, session: SavedSession) {
        self.sessions.insert(session.pid.to_string(), session);
    }

    /// A session, which is consumed, and what stands in the stream behind an offset.
    pub(crate) fn restore(
        &mut self,
        pid: &str,
        offset: &str,
    ) -> Option<(SavedSession, Vec<Entry>)> {
        let place = self.stream.iter().position(|(kept, _)| kept == offset)?;
        let session = self.sessions.remove(pid)?;
        Some((session, self.stream[place + 1..].to_vec()))
    }

    /// Sends a node something of its own, after a delay.
    pub(crate) fn remind(&mut self, node: usize, namespace: &str, bytes: Vec<u8>) {
        let at = self.now + self.delay();
        self.arrive(at, node, namespace, bytes);
    }

    /// When the next message arrives.
    pub(crate) fn next_arrival(&self) -> Option<Duration> {
        self.arriving.keys().next().map(|(at, _)| *at)
    }

    /// The next message that has arrived.
    pub(crate) fn arrived(&mut self) -> Option<Arrival> {
        let entry = self.arriving.first_entry().filter(|entry| entry.key().0 <= self.now)?;
        Some(entry.remove())
    }

    fn arrive(&mut self, at: Duration, node: usize, namespace: &str, bytes: Vec<u8>) {
        self.serial += 1;
        let namespace = namespace.to_owned();
        self.arriving.insert((at, self.serial), Arrival { node, namespace, bytes });
    }

    fn delay(&mut self) -> Duration {
        let millis = u64::try_from(self.delay_max.as_millis()).unwrap();
        Duration::from_millis(1 + self.random(millis.max(1)))
    }

    pub(crate) fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }
}
