//! Deadlines on a hierarchical timing wheel, and the moment that is passed into every machine.
//!
//! Scheduling, cancelling and expiring cost the same for ten deadlines as for a million: six
//! levels of 64 slots, the finest one tick wide (a millisecond unless told otherwise), entries
//! linked through one slab. An entry never fires early and fires at most one tick late; those of
//! one tick fire in the order in which they were scheduled. Owners that postpone a deadline again
//! and again (a heartbeat at every pong) leave the entry where it is and look at their own state
//! when it fires.
//!
//! It isn't a clock: the time comes in as a parameter, and [`Deadlines::next`] says when to come
//! back. For an entry far away that may be a moment before it is due, to move it to a finer level.

use std::time::Duration;

use slab::Slab;

/// One moment, on two clocks. Only the server reads them; everyone else is handed a `Now`.
///
/// ```
/// use std::time::Duration;
/// use throng::Now;
///
/// // What the clock of a simulation gives (see `Server::simulated`).
/// let started = Duration::from_secs(1_700_000_000);
/// let uptime = Duration::from_millis(250);
/// let now = Now { monotonic: uptime, wall: started + uptime };
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Time since the server was made; never goes back.
    pub monotonic: Duration,
    /// Time since the Unix epoch, as the wall clock has it.
    pub wall: Duration,
}

/// A set of deadlines, each with the key of whom it concerns.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    entries: Slab<Entry<K>>,
    /// One for each slot of each level, and that of what is due.
    lists: [List; DUE as usize + 1],
    /// Of each level the slots that have entries, and which levels have any: looking for the next
    /// is what a turn with nothing to do does most.
    occupied: [u64; LEVELS],
    levels: u8,
    /// In ticks, as all moments are within.
    elapsed: u64,
    /// In nanoseconds.
    tick: u64,
    generation: u32,
}

/// Names one scheduled deadline, for [`Deadlines::cancel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeadlineId {
    index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Entry<K> {
    key: K,
    at: u64,
    generation: u32,
    next: u32,
    previous: u32,
    slot: u16,
}

/// Entries in the order in which they came; both ends are `NONE` while it is empty.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

impl<K: Copy> Deadlines<K> {
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Self::with_capacity(0)
    }

    /// Room for so many deadlines at a time, and it grows beyond them.
    pub(crate) fn with_capacity(deadlines: usize) -> Self {
        Self::with_resolution(deadlines, MILLISECOND)
    }

    /// The same, with ticks of this length; none is shorter than a microsecond.
    pub(crate) fn with_resolution(deadlines: usize, tick: Duration) -> Self {
        Self {
            tick: nanoseconds(tick).max(1_000),
            entries: Slab::with_capacity(deadlines),
            lists: [List::EMPTY; DUE as usize + 1],
            occupied: [0; LEVELS],
            levels: 0,
            elapsed: 0,
            generation: 0,
        }
    }

    /// How fine it is.
    pub(crate) fn resolution(&self) -> Duration {
        Duration::from_nanos(self.tick)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Schedules `key` for `at`; a moment that has passed is due at the next call of `expire`.
    pub(crate) fn schedule(&mut self, at: Duration, key: K) -> DeadlineId {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let entry = Entry {
            key,
            at: self.ceil_tick(at),
            generation,
            next: NONE,
            previous: NONE,
            slot: DUE,
        };
        let index = u32::try_from(self.entries.insert(entry)).unwrap_or(NONE);
        self.link(index);
        DeadlineId { index, generation }
    }

    /// Forgets a deadline; one that has fired or was cancelled before is `None`.
    pub(crate) fn cancel(&mut self, id: DeadlineId) -> Option<K> {
        let entry = self.entries.get(id.index as usize)?;
        if entry.generation != id.generation {
            return None;
        }
        self.unlink(id.index);
        Some(self.entries.remove(id.index as usize).key)
    }

    /// The next entry that is due at `now`, removed. Call until `None`.
    pub(crate) fn expire(&mut self, now: Duration) -> Option<K> {
        let now = self.floor_tick(now);
        while self.due() == NONE {
            match self.next_slot() {
                Some((slot, start)) if start <= now => {
                    self.elapsed = self.elapsed.max(start);
                    self.cascade(slot);
                }
                _ => {
                    self.elapsed = self.elapsed.max(now);
                    return None;
                }
            }
        }
        let index = self.due();
        self.unlink(index);
        Some(self.entries.remove(index as usize).key)
    }

    /// When to call [`Deadlines::expire`] next; never later than the earliest deadline.
    pub(crate) fn next(&self) -> Option<Duration> {
        if self.due() != NONE {
            return Some(Duration::ZERO);
        }
        self.next_slot().map(|(_, start)| Duration::from_nanos(start.saturating_mul(self.tick)))
    }

    /// Whether [`Deadlines::expire`] has something to do at `now`.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.due() != NONE
            || self.next_slot().is_some_and(|(_, start)| start <= self.floor_tick(now))
    }

    /// The first entry that is due.
    fn due(&self) -> u32 {
        self.lists[usize::from(DUE)].first
    }

    /// The first occupied slot from now on, of all levels, and its first tick.
    #[inline]
    fn next_slot(&self) -> Option<(usize, u64)> {
        let level = self.levels.trailing_zeros() as usize;
        let occupied = *self.occupied.get(level)?;
        let shift = level * SLOT_BITS;
        let here = (self.elapsed >> shift) & SLOT_MASK;
        let ahead = u64::from(occupied.rotate_right(low_bits(here)).trailing_zeros());
        let slot = usize::try_from((here + ahead) & SLOT_MASK).unwrap_or(0);
        let turn = (self.elapsed >> shift) + ahead;
        Some((level * SLOTS + slot, turn << shift))
    }

    fn occupy(&mut self, slot: usize) {
        self.occupied[slot / SLOTS] |= 1 << (slot % SLOTS);
        self.levels |= 1 << (slot / SLOTS);
    }

    fn vacate(&mut self, slot: usize) {
        let level = slot / SLOTS;
        self.occupied[level] &= !(1 << (slot % SLOTS));
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    /// Moves the entries of one slot to finer levels, or to the list of what is due. Whoever has
    /// the same moment is in the same slot, so that their order stays.
    fn cascade(&mut self, slot: usize) {
        let list = std::mem::replace(&mut self.lists[slot], List::EMPTY);
        self.vacate(slot);
        let mut index = list.first;
        while index != NONE {
            let next = self.entries[index as usize].next;
            self.link(index);
            index = next;
        }
    }

    fn link(&mut self, index: u32) {
        let at = self.entries[index as usize].at;
        let slot = if at <= self.elapsed { DUE } else { self.place(at) };
        if slot != DUE {
            self.occupy(usize::from(slot));
        }
        let list = &mut self.lists[usize::from(slot)];
        let previous = std::mem::replace(&mut list.last, index);
        if previous == NONE {
            list.first = index;
        } else {
            self.entries[previous as usize].next = index;
        }
        let entry = &mut self.entries[index as usize];
        (entry.next, entry.previous, entry.slot) = (NONE, previous, slot);
    }

    fn unlink(&mut self, index: u32) {
        let Entry { next, previous, slot, .. } = self.entries[index as usize];
        let list = &mut self.lists[usize::from(slot)];
        if next == NONE {
            list.last = previous;
        } else {
            self.entries[next as usize].previous = previous;
        }
        if previous == NONE {
            list.first = next;
            if next == NONE && slot != DUE {
                self.vacate(usize::from(slot));
            }
        } else {
            self.entries[previous as usize].next = next;
        }
    }

    /// The level is told by the highest bit in which `at` differs from the time elapsed. What lies
    /// beyond the wheel waits in its farthest slot, and is placed anew when its turn comes.
    fn place(&self, at: u64) -> u16 {
        let at = at.min(self.elapsed.saturating_add(HORIZON));
        let differing = (at ^ self.elapsed).max(1);
        let level = (differing.ilog2() as usize / SLOT_BITS).min(LEVELS - 1);
        let slot = (at >> (level * SLOT_BITS)) & SLOT_MASK;
        u16::try_from(level * SLOTS).unwrap_or(DUE) + u16::try_from(slot).unwrap_or(0)
    }
}

impl List {
    const EMPTY: Self = Self { first: NONE, last: NONE };
}

impl<K> Deadlines<K> {
    fn ceil_tick(&self, at: Duration) -> u64 {
        nanoseconds(at).div_ceil(self.tick)
    }

    fn floor_tick(&self, at: Duration) -> u64 {
        nanoseconds(at) / self.tick
    }
}

fn low_bits(value: u64) -> u32 {
    u32::try_from(value & SLOT_MASK).unwrap_or(0)
}

/// Enough for 584 years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

const MILLISECOND: Duration = Duration::from_millis(1);
const LEVELS: usize = 6;
const SLOT_BITS: usize = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_MASK: u64 = SLOTS as u64 - 1;
const NONE: u32 = u32::MAX;
/// The list after those of all slots.
const DUE: u16 = 384;
const _: () = assert!(DUE as usize == LEVELS * SLOTS);
/// How far ahead the wheel can see, in ticks: about two years of milliseconds, as many slots of
/// the last level as lie ahead whole.
const HORIZON: u64 = (SLOT_MASK - 1) << ((LEVELS - 1) * SLOT_BITS);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn fires_in_order_never_early_and_within_a_millisecond() {
        let mut deadlines = Deadlines::new();
        for at in [5, 64, 63, 1, 4_096, 25_000, 262_144, 20_000] {
            deadlines.schedule(ms(at), at);
        }
        let mut fired = Vec::new();
        let mut now = Duration::ZERO;
        while let Some(next) = deadlines.next() {
            assert!(next >= now || deadlines.due() != NONE);
            now = next.max(now);
            while let Some(at) = deadlines.expire(now) {
                assert_eq!(ms(at), now);
                fired.push(at);
            }
        }
        assert_eq!(fired, [1, 5, 63, 64, 4_096, 20_000, 25_000, 262_144]);
    }

    #[test]
    fn fires_within_a_tick_of_any_length() {
        for tick in [1, 50, 999, 1_000, 7_000].map(Duration::from_micros) {
            let mut deadlines = Deadlines::with_resolution(0, tick);
            for nanoseconds in [1, 999, 1_000, 1_001, 65_536, 1_234_567, 90_000_000_000] {
                let at = Duration::from_nanos(nanoseconds);
                deadlines.schedule(at, at);
            }
            let (mut now, mut fired) = (Duration::ZERO, 0);
            while let Some(next) = deadlines.next() {
                now = next.max(now);
                while let Some(at) = deadlines.expire(now) {
                    assert!(at <= now && now < at + tick, "{at:?} at {now:?}, tick {tick:?}");
                    fired += 1;
                }
            }
            assert_eq!(fired, 7);
        }
    }

    #[test]
    fn years_of_uptime_and_years_ahead_are_times_like_any_other() {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let mut deadlines = Deadlines::new();
        deadlines.schedule(Duration::MAX, "never");
        deadlines.schedule(9 * YEAR, "in nine years");
        for years in 1..9 {
            let now = years * YEAR;
            assert_eq!(deadlines.expire(now), None);
            deadlines.schedule(now + ms(10), "soon");
            assert_eq!(deadlines.expire(now), None);
            assert_eq!(deadlines.next(), Some(now + ms(10)));
            assert_eq!(deadlines.expire(now + ms(10)), Some("soon"));
        }
        assert_eq!(deadlines.expire((9 * YEAR).saturating_sub(ms(1))), None);
        assert_eq!(deadlines.expire(9 * YEAR), Some("in nine years"));
        assert_eq!(deadlines.expire(99 * YEAR), None);
        assert_eq!(deadlines.len(), 1);
    }

    #[test]
    fn a_cancelled_deadline_does_not_fire_and_its_id_goes_stale() {
        let mut deadlines = Deadlines::new();
        let first = deadlines.schedule(ms(10), 'a');
        assert_eq!(deadlines.cancel(first), Some('a'));
        let second = deadlines.schedule(ms(10), 'b');
        assert_eq!(deadlines.cancel(first), None);
        assert_eq!(deadlines.expire(ms(10)), Some('b'));
        assert_eq!(deadlines.cancel(second), None);
        assert_eq!(deadlines.len(), 0);
    }

    #[test]
    fn agrees_with_a_sorted_list_under_random_use() {
        for seed in 1..200_u64 {
            let mut random = seed;
            let mut next = |below: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % below
            };
            let mut deadlines = Deadlines::new();
            let mut model: Vec<(u64, u64, DeadlineId)> = Vec::new();
            let mut now = 0;
            for name in 0..300 {
                match next(4) {
                    0 | 1 => {
                        let spread =
                            [3, 1_000, 100_000, 20_000_000][usize::try_from(next(4)).unwrap()];
                        let at = now + next(spread);
                        model.push((at, name, deadlines.schedule(ms(at), name)));
                    }
                    2 if !model.is_empty() => {
                        let index = usize::try_from(next(model.len() as u64)).unwrap();
                        let (_, name, id) = model.swap_remove(index);
                        assert_eq!(deadlines.cancel(id), Some(name), "seed {seed}");
                    }
                    _ => {
                        now += next(50_000);
                        let mut fired = Vec::new();
                        while let Some(name) = deadlines.expire(ms(now)) {
                            fired.push(name);
                        }
                        let mut expected: Vec<(u64, u64)> = model
                            .iter()
                            .filter(|(at, ..)| *at <= now)
                            .map(|(at, name, _)| (*at, *name))
                            .collect();
                        expected.sort_unstable();
                        let expected: Vec<u64> =
                            expected.into_iter().map(|(_, name)| name).collect();
                        model.retain(|(at, ..)| *at > now);
                        assert_eq!(fired, expected, "seed {seed}");
                        let earliest = model.iter().map(|(at, ..)| *at).min();
                        assert_eq!(deadlines.next().is_some(), earliest.is_some(), "seed {seed}");
                        if let (Some(told), Some(earliest)) = (deadlines.next(), earliest) {
                            assert!(told <= ms(earliest) && told > ms(now), "seed {seed}");
                        }
                    }
                }
            }
        }
    }
}
