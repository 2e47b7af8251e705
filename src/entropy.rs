//! Randomness as a parameter: ids come from a source that the server hands in.
//!
//! The operating system's source is read in blocks, since a handshake needs 30 bytes and a system
//! call for each would cost more than the rest of the id. A simulation passes a seeded one.

use std::fmt;

/// A source of random bytes. It must be unpredictable where peers can see the ids made from it.
pub(crate) trait Entropy {
    fn fill(&mut self, bytes: &mut [u8]);
}

/// The operating system's random bytes, a block at a time.
pub(crate) struct SystemEntropy {
    block: [u8; BLOCK_BYTES],
    used: usize,
}

impl SystemEntropy {
    pub(crate) fn new() -> Self {
        Self { block: [0; BLOCK_BYTES], used: BLOCK_BYTES }
    }
}

impl Entropy for SystemEntropy {
    /// Aborts the process where the system has no randomness to give: an id that a peer can guess
    /// would be worse.
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(BLOCK_BYTES) {
            if self.used + chunk.len() > BLOCK_BYTES {
                if getrandom::fill(&mut self.block).is_err() {
                    std::process::abort();
                }
                self.used = 0;
            }
            let taken = &mut self.block[self.used..self.used + chunk.len()];
            chunk.copy_from_slice(taken);
            // What has been given out is not kept: it is a secret of its session.
            taken.fill(0);
            self.used += chunk.len();
        }
    }
}

impl fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemEntropy(..)")
    }
}

/// A repeatable source for simulations and tests (`SplitMix64`); its ids can be guessed.
#[derive(Debug)]
pub(crate) struct SeededEntropy(u64);

impl SeededEntropy {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

const BLOCK_BYTES: usize = 3_840;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_entropy_does_not_repeat_itself() {
        let mut entropy = SystemEntropy::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let mut id = [0; 15];
            entropy.fill(&mut id);
            assert!(seen.insert(id));
        }
    }

    #[test]
    fn a_seed_repeats() {
        let (mut a, mut b) = (SeededEntropy::new(7), SeededEntropy::new(7));
        let (mut x, mut y) = ([0; 21], [0; 21]);
        a.fill(&mut x);
        b.fill(&mut y);
        assert_eq!(x, y);
    }
}
