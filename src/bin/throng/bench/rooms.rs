//! Which client is in which room: decided by the plan and its seed alone, so that every shard
//! and every worker process knows it without asking.
//!
//! ```text
//! 12 clients in 3 rooms      equal: 4, 4, 4      zipf: 6, 3, 3
//! ```

use std::ops::Range;

use super::plan::{Plan, RoomSizes, Scenario};

/// The rooms of a run; each client is in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rooms {
    /// By client, its room.
    room_of: Vec<u32>,
    /// Clients, those of one room side by side and in their order.
    members: Vec<u32>,
    /// By room, where its members are.
    ranges: Vec<Range<usize>>,
}

impl Rooms {
    /// `None` where the scenario has no rooms.
    pub(crate) fn new(plan: &Plan) -> Option<Self> {
        let Scenario::Rooms { rooms, sizes } = plan.scenario else { return None };
        let sizes = match sizes {
            RoomSizes::Equal => equal(plan.clients, rooms),
            RoomSizes::Zipf => zipf(plan.clients, rooms),
        };
        Some(Self::with_sizes(&sizes, plan.seed))
    }

    /// The room of a client; `None` for a client that isn't in the plan.
    pub(crate) fn room_of(&self, client: u32) -> Option<u32> {
        self.room_of.get(index(client)).copied()
    }

    /// The clients of a room, ascending; none for a room that isn't in the plan.
    pub(crate) fn members(&self, room: u32) -> &[u32] {
        let range = self.ranges.get(index(room)).cloned().unwrap_or_default();
        self.members.get(range).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.ranges.len()).unwrap_or(u32::MAX)
    }

    /// Members are drawn by chance: neighbours in a room would be neighbours in the server's
    /// memory too, which no real crowd is.
    fn with_sizes(sizes: &[u32], seed: u64) -> Self {
        let mut room_of: Vec<u32> = (0_u32..)
            .zip(sizes)
            .flat_map(|(room, size)| std::iter::repeat_n(room, index(*size)))
            .collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut room_of);
        let mut members: Vec<u32> = (0_u32..).zip(&room_of).map(|(client, _)| client).collect();
        members.sort_by_key(|client| room_of.get(index(*client)).copied());
        let ranges = sizes
            .iter()
            .scan(0_usize, |begin, size| {
                let range = *begin..*begin + index(*size);
                *begin = range.end;
                Some(range)
            })
            .collect();
        Self { room_of, members, ranges }
    }
}

/// As equal as it goes: the first ones have one more.
fn equal(clients: u32, rooms: u32) -> Vec<u32> {
    let Some(each) = clients.checked_div(rooms) else { return Vec::new() };
    let more = clients % rooms;
    (0..rooms).map(|room| each + u32::from(room < more)).collect()
}

/// Everyone's first member is given; the others fall in proportion to 1, 1/2, 1/3, ..; what the
/// division leaves goes to the largest remainders.
fn zipf(clients: u32, rooms: u32) -> Vec<u32> {
    let Some(others) = clients.checked_sub(rooms) else { return equal(clients, rooms) };
    let weights: Vec<u128> = (1..=u128::from(rooms)).map(|rank| FIRST_WEIGHT / rank).collect();
    let whole: u128 = weights.iter().sum();
    let share = |weight: &u128| {
        let product = u128::from(others) * weight;
        let quotient = product.checked_div(whole).unwrap_or(0);
        (u32::try_from(quotient).unwrap_or(others), product - quotient * whole)
    };
    let (mut sizes, remainders): (Vec<u32>, Vec<u128>) = weights.iter().map(share).unzip();
    let given: u32 = sizes.iter().sum();
    let mut ranks: Vec<usize> = (0..sizes.len()).collect();
    // A stable sort: of equal remainders the larger room is first.
    ranks.sort_by_key(|rank| std::cmp::Reverse(remainders.get(*rank).copied()));
    for rank in ranks.into_iter().take(index(others - given)) {
        if let Some(size) = sizes.get_mut(rank) {
            *size += 1;
        }
    }
    sizes.into_iter().map(|size| size + 1).collect()
}

/// Lossless on the machines that this runs on.
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The weight of the largest room: as many bits as keep the smallest one's share exact enough.
const FIRST_WEIGHT: u128 = 1 << 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rooms_differ_by_one_at_most() {
        assert_eq!(equal(12, 3), [4, 4, 4]);
        assert_eq!(equal(11, 3), [4, 4, 3]);
        assert_eq!(equal(2, 3), [1, 1, 0]);
        assert_eq!(equal(2, 0), [] as [u32; 0]);
    }

    /// 9 others, weights 6 : 3 : 2 of 11, that is 4.91, 2.45 and 1.64: whole parts 4, 2, 1, and
    /// the two left go to the first and the third.
    #[test]
    fn zipf_falls_with_the_rank() {
        assert_eq!(zipf(12, 3), [6, 3, 3]);
        // 990 others, the tenth harmonic number is 2.92897: 338.003, 169.001, 112.668, 84.501,
        // 67.601, 56.334, 48.286, 42.250, 37.556, 33.800; 4 are left for the largest remainders,
        // .800 (10), .668 (3), .601 (5) and .556 (9).
        assert_eq!(zipf(1_000, 10), [339, 170, 114, 85, 69, 57, 49, 43, 39, 35]);
    }

    #[test]
    fn zipf_sizes_sum_to_the_clients_and_leave_no_room_empty() {
        for clients in 1..200 {
            for rooms in 1..=clients {
                let sizes = zipf(clients, rooms);
                assert_eq!(sizes.iter().sum::<u32>(), clients, "{clients} in {rooms}");
                assert_eq!(sizes.len(), index(rooms));
                assert!(sizes.is_sorted_by(|larger, smaller| larger >= smaller), "{sizes:?}");
                assert!(sizes.iter().all(|size| *size > 0), "{sizes:?}");
            }
        }
        assert_eq!(zipf(2, 3), [1, 1, 0]);
        assert_eq!(zipf(65_536, 65_536), vec![1; 65_536]);
        assert_eq!(zipf(u32::MAX, 65_536).iter().map(|size| u64::from(*size)).sum::<u64>(), {
            u64::from(u32::MAX)
        });
    }

    #[test]
    fn members_and_rooms_agree() {
        let rooms = Rooms::with_sizes(&[6, 3, 3], 7);
        assert_eq!(rooms.len(), 3);
        let mut seen = Vec::new();
        for room in 0..3 {
            let members = rooms.members(room);
            assert!(members.is_sorted());
            assert!(members.iter().all(|client| rooms.room_of(*client) == Some(room)));
            seen.extend_from_slice(members);
        }
        assert_eq!([rooms.members(0).len(), rooms.members(1).len()], [6, 3]);
        seen.sort_unstable();
        assert_eq!(seen, (0..12).collect::<Vec<u32>>());
        assert_eq!(rooms.room_of(12), None);
        assert_eq!(rooms.members(3), [] as [u32; 0]);
    }

    #[test]
    fn a_seed_draws_the_same_members_again() {
        let sizes = zipf(1_000, 10);
        assert_eq!(Rooms::with_sizes(&sizes, 1), Rooms::with_sizes(&sizes, 1));
        assert_ne!(Rooms::with_sizes(&sizes, 1), Rooms::with_sizes(&sizes, 2));
    }
}
