//! What a shard sends, and when: the schedules of broadcasts, questions, departures and slow reads.
//!
//! ```text
//! due 1.2 s: broadcast 6, by client 0        due 1.25 s: client 812 goes and comes back
//! ```

use super::cast::{Cast, Sends};
use super::listening::ANSWERS;
use crate::bench::payload::Mark;
use crate::bench::plan::{ASK_EVENT, Pacing, Plan, Protocol, Scenario};
use crate::bench::schedule::Schedule;
use crate::bench::shard::{Duty, Part};

/// The schedules, and the sequence numbers of what was sent.
#[derive(Debug)]
pub(crate) struct Traffic {
    pub(crate) sends: Sends,
    pub(crate) pacing: Pacing,
    schedule: Option<Schedule>,
    departures: Option<Schedule>,
    end_ns: u64,
    /// The client or stream whose turn it is.
    turn: u32,
    /// By client or stream, the next sequence number.
    sequences: Vec<u32>,
    event: String,
    payload_bytes: usize,
    is_binary: bool,
    is_bare: bool,
    /// As in `/chat,`.
    namespace: String,
    has_rooms: bool,
}

/// One send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) packet: Vec<u8>,
    pub(crate) attachment: Option<Vec<u8>>,
}

impl Traffic {
    pub(crate) fn new(part: &Part, cast: &Cast, namespace: &str) -> Self {
        let sends = Sends::of(part);
        let plan = &part.plan;
        let count = match sends {
            Sends::Nothing => 0,
            Sends::Broadcasts => cast.streams(),
            Sends::Echoes | Sends::Acks => part.clients,
        };
        let event = match part.duty {
            Duty::Crowd => plan.event.clone(),
            Duty::Ask => ASK_EVENT.to_owned(),
        };
        let pacing = match part.duty {
            Duty::Crowd => plan.pacing,
            Duty::Ask => plan.pacing.opened(),
        };
        Self {
            sends,
            pacing,
            schedule: None,
            departures: None,
            end_ns: 0,
            turn: 0,
            sequences: vec![0; usize::try_from(count).unwrap_or(0)],
            event,
            payload_bytes: plan.payload_bytes,
            is_binary: plan.binary,
            is_bare: plan.protocol == Protocol::Websocket,
            namespace: namespace.to_owned(),
            has_rooms: matches!(plan.scenario, Scenario::Rooms { .. }),
        }
    }

    /// Sends are due from now on.
    pub(crate) fn begin(&mut self, part: &Part, begin_ns: u64, measure_ns: u64, end_ns: u64) {
        let Plan { seed, rate, scenario, .. } = &part.plan;
        let seed = *seed;
        self.end_ns = end_ns;
        let rate = match (part.duty, scenario) {
            (Duty::Ask, Scenario::Mixed { ask_rate, .. }) => Some(*ask_rate),
            _ => *rate,
        };
        let schedule = rate.and_then(|rate| Schedule::new(self.pacing, rate, begin_ns, seed));
        self.schedule = match self.sends {
            Sends::Nothing => None,
            Sends::Broadcasts => schedule,
            Sends::Echoes | Sends::Acks if part.duty == Duty::Ask => schedule,
            Sends::Echoes | Sends::Acks => {
                schedule.map(|schedule| schedule.part(part.shard, part.shards))
            }
        };
        self.departures = match scenario {
            Scenario::Churn { churn_rate, .. } if part.duty == Duty::Crowd => {
                Schedule::new(self.pacing.opened(), *churn_rate, begin_ns, !seed)
                    .map(|schedule| schedule.part(part.shard, part.shards))
            }
            Scenario::Storm => Schedule::new(Pacing::Fixed, STORM_RATE, measure_ns, seed),
            _ => None,
        };
    }

    /// When the next send is due; the end of time when there is none.
    pub(crate) fn next_send_at(&self) -> u64 {
        before(self.schedule.as_ref(), self.end_ns)
    }

    /// When the next client is due to go, or all of them.
    pub(crate) fn next_departure_at(&self) -> u64 {
        before(self.departures.as_ref(), self.end_ns)
    }

    pub(crate) fn advance_sends(&mut self) {
        if let Some(schedule) = &mut self.schedule {
            schedule.advance();
        }
    }

    pub(crate) fn advance_departures(&mut self) {
        if let Some(schedule) = &mut self.departures {
            schedule.advance();
        }
    }

    pub(crate) fn end_departures(&mut self) {
        self.departures = None;
    }

    pub(crate) fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.end_ns
    }

    /// The client or stream whose turn it is to send.
    pub(crate) fn take_turn(&mut self) -> Option<u32> {
        let count = u32::try_from(self.sequences.len()).ok().filter(|count| *count > 0)?;
        let turn = self.turn % count;
        self.turn = (turn + 1) % count;
        Some(turn)
    }

    /// The packet of the next send of a client or stream, which is then behind us.
    pub(crate) fn take(
        &mut self,
        turn: u32,
        run: u32,
        (intended_ns, sent_ns): (u64, u64),
    ) -> Option<Send> {
        let next = self.sequences.get_mut(usize::try_from(turn).ok()?)?;
        let sequence = *next;
        *next = next.checked_add(1)?;
        let stream = match self.sends {
            Sends::Broadcasts => u16::try_from(turn).ok()?,
            _ => ANSWERS,
        };
        let mark = Mark { run, stream, sequence, intended_ns, sent_ns };
        Some(self.build(turn, &mark))
    }

    fn build(&self, turn: u32, mark: &Mark) -> Send {
        let mut payload = Vec::with_capacity(self.payload_bytes);
        mark.write(self.payload_bytes, &mut payload);
        if self.is_bare {
            return Send { packet: payload, attachment: None };
        }
        let kind = if self.is_binary { "51-" } else { "2" };
        let id = match self.sends {
            Sends::Acks => mark.sequence.to_string(),
            _ => String::new(),
        };
        let room = if self.has_rooms { format!("\"{}\",", room_name(turn)) } else { String::new() };
        let begin = format!("{kind}{}{id}[\"{}\",{room}", self.namespace, self.event);
        let mut packet = begin.into_bytes();
        if self.is_binary {
            packet.extend_from_slice(b"{\"_placeholder\":true,\"num\":0}]");
            return Send { packet, attachment: Some(payload) };
        }
        packet.push(b'"');
        packet.extend_from_slice(&payload);
        packet.extend_from_slice(b"\"]");
        Send { packet, attachment: None }
    }
}

pub(crate) fn room_name(room: u32) -> String {
    format!("room-{room}")
}

fn before(schedule: Option<&Schedule>, end_ns: u64) -> u64 {
    schedule.map(Schedule::next_at).filter(|next_ns| *next_ns < end_ns).unwrap_or(u64::MAX)
}

/// One storm in the time that matters.
const STORM_RATE: f64 = 0.000_1;
