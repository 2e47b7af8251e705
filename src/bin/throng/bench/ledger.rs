//! The ledger of a run: who has received what, so that anything missing, doubled or out of order
//! is known to the piece.
//!
//! Each receiver has a cursor per stream, the sequence number it expects next, and the gaps it
//! has left behind.
//!
//! ```text
//! 0 1 2 5        gap 3..5            4   late: reordered, gap 3..4            2   duplicate
//! ```

use std::collections::BTreeMap;

/// What receivers have received.
#[derive(Debug)]
pub(crate) struct Ledger {
    streams: usize,
    /// By receiver and stream.
    cursors: Vec<u32>,
    /// Sequence numbers that were passed over: ranges `from..to` by receiver and stream.
    gaps: BTreeMap<usize, Vec<(u32, u32)>>,
}

/// What a receipt was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// The one that was expected next.
    Next,
    /// One that came before others that were sent earlier.
    Early,
    /// One that others overtook.
    Late,
    /// One that had come already.
    Duplicate,
    /// A stream that the receiver has no part in.
    Stray,
}

impl Ledger {
    pub(crate) fn new(receivers: usize, streams: usize) -> Self {
        Self { streams, cursors: vec![0; receivers * streams], gaps: BTreeMap::new() }
    }

    /// Takes down that `receiver` got number `sequence` of `stream`.
    pub(crate) fn receive(&mut self, receiver: usize, stream: usize, sequence: u32) -> Receipt {
        let slot = receiver * self.streams + stream;
        let Some(cursor) = self.cursors.get_mut(slot).filter(|_| stream < self.streams) else {
            return Receipt::Stray;
        };
        // The first that is heard of in the middle of a run is where the receiver begins.
        if *cursor == ANYWHERE {
            *cursor = sequence;
        }
        match sequence.cmp(cursor) {
            std::cmp::Ordering::Equal => {
                *cursor = sequence.saturating_add(1);
                Receipt::Next
            }
            std::cmp::Ordering::Greater => {
                self.gaps.entry(slot).or_default().push((*cursor, sequence));
                *cursor = sequence.saturating_add(1);
                Receipt::Early
            }
            std::cmp::Ordering::Less => self.fill(slot, sequence),
        }
    }

    /// The receiver begins anew, in the middle of a run; returns what it had missed.
    pub(crate) fn restart(&mut self, receiver: usize) -> u64 {
        let mut missed = 0;
        for slot in receiver * self.streams..(receiver + 1) * self.streams {
            if let Some(cursor) = self.cursors.get_mut(slot) {
                *cursor = ANYWHERE;
            }
            missed += self.gaps.remove(&slot).map_or(0, |gaps| sum(&gaps));
        }
        missed
    }

    /// What a receiver has passed over.
    pub(crate) fn missed(&self, receiver: usize) -> u64 {
        let slots = receiver * self.streams..(receiver + 1) * self.streams;
        self.gaps.range(slots).map(|(_, gaps)| sum(gaps)).sum()
    }

    fn fill(&mut self, slot: usize, sequence: u32) -> Receipt {
        let Some(gaps) = self.gaps.get_mut(&slot) else { return Receipt::Duplicate };
        let found = gaps.iter().position(|(from, to)| (*from..*to).contains(&sequence));
        let Some(at) = found else { return Receipt::Duplicate };
        let (from, to) = gaps.swap_remove(at);
        for rest in [(from, sequence), (sequence + 1, to)] {
            if rest.0 < rest.1 {
                gaps.push(rest);
            }
        }
        if gaps.is_empty() {
            self.gaps.remove(&slot);
        }
        Receipt::Late
    }
}

fn sum(gaps: &[(u32, u32)]) -> u64 {
    gaps.iter().map(|(from, to)| u64::from(to - from)).sum()
}

/// A cursor that has heard nothing yet and takes whatever comes first.
const ANYWHERE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn receive_all(ledger: &mut Ledger, sequences: &[u32]) -> Vec<Receipt> {
        sequences.iter().map(|sequence| ledger.receive(1, 0, *sequence)).collect()
    }

    #[test]
    fn what_comes_in_order_is_next() {
        let mut ledger = Ledger::new(2, 1);
        assert_eq!(receive_all(&mut ledger, &[0, 1, 2]), [Receipt::Next; 3]);
        assert_eq!(ledger.missed(1), 0);
    }

    #[test]
    fn a_gap_is_missing_until_it_is_filled() {
        let mut ledger = Ledger::new(2, 1);
        assert_eq!(receive_all(&mut ledger, &[0, 4]), [Receipt::Next, Receipt::Early]);
        assert_eq!(ledger.missed(1), 3);
        assert_eq!(receive_all(&mut ledger, &[2]), [Receipt::Late]);
        assert_eq!(ledger.missed(1), 2);
        assert_eq!(
            receive_all(&mut ledger, &[1, 3, 5]),
            [Receipt::Late, Receipt::Late, Receipt::Next]
        );
        assert_eq!(ledger.missed(1), 0);
    }

    #[test]
    fn what_came_before_is_a_duplicate() {
        let mut ledger = Ledger::new(2, 1);
        receive_all(&mut ledger, &[0, 1, 3, 2]);
        assert_eq!(receive_all(&mut ledger, &[0, 1, 2, 3]), [Receipt::Duplicate; 4]);
    }

    #[test]
    fn who_begins_anew_takes_what_comes_first() {
        let mut ledger = Ledger::new(2, 1);
        receive_all(&mut ledger, &[0, 2]);
        assert_eq!(ledger.restart(1), 1);
        assert_eq!(
            receive_all(&mut ledger, &[7, 8, 8]),
            [Receipt::Next, Receipt::Next, Receipt::Duplicate]
        );
    }

    #[test]
    fn streams_and_receivers_are_apart() {
        let mut ledger = Ledger::new(2, 2);
        assert_eq!(ledger.receive(0, 0, 0), Receipt::Next);
        assert_eq!(ledger.receive(0, 1, 0), Receipt::Next);
        assert_eq!(ledger.receive(1, 0, 0), Receipt::Next);
        assert_eq!(ledger.receive(1, 2, 0), Receipt::Stray);
        assert_eq!(ledger.receive(2, 0, 0), Receipt::Stray);
    }
}
