//! The host: a server in a loop of its own, and what is measured there.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use throng::Server;
use throng::config::{Config, TurnBudget};

use super::clients::{Clients, UPGRADE, text_frame};
use super::report::{Jitter, Spin, TimerLag, Times, TurnCost};

/// How much of everything.
pub(crate) struct Length {
    clients: usize,
    turns: usize,
    /// Of the host at 1 kHz, while it sends: every 200th sends, and a median takes a hundred sends.
    ticks: usize,
    timers: usize,
    questions: usize,
}

impl Length {
    /// Some two minutes: turns are short enough for a p99.9, and what waits for a moment isn't.
    pub(crate) const FULL: Self =
        Self { clients: 10_000, turns: 100_000, ticks: 21_000, timers: 10_000, questions: 10_000 };
    pub(crate) const QUICK: Self =
        Self { clients: 500, turns: 10_000, ticks: 500, timers: 200, questions: 200 };
}

/// Keeps this thread on a core, where there is such a one.
pub(crate) fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    let _ = sched_setaffinity(None, &cores);
}

/// What a turn costs with nobody, with many who are idle, and with a message of one.
pub(crate) fn measure_turns(length: &Length) -> io::Result<Vec<TurnCost>> {
    let mut costs = Vec::new();
    let mut server = serve(|_| {})?;
    costs.push(TurnCost::new("no turn: the clock is read, as in each below", no_turns(length)));
    costs.push(TurnCost::new("nothing to do, nobody connected", idle_turns(&mut server, length)?));
    costs.push(TurnCost::new("one message, echoed", turns_with_a_message(&mut server, length)?));
    let clients = join(&mut server, length.clients)?;
    let what = format!("nothing to do, {} idle connections", length.clients);
    costs.push(TurnCost::new(&what, idle_turns(&mut server, length)?));
    let what = format!("one message, echoed, {} idle connections", length.clients);
    costs.push(TurnCost::new(&what, turns_with_a_message(&mut server, length)?));
    drop(clients);
    Ok(costs)
}

/// What a measurement adds to each time.
fn no_turns(length: &Length) -> Times {
    let mut times = Times::default();
    for _ in 0..length.turns {
        let begun = Instant::now();
        times.push(begun.elapsed());
    }
    times
}

/// Each turn has a time of its own: of means over several, no percentile would be one of turns.
fn idle_turns(server: &mut Server, length: &Length) -> io::Result<Times> {
    let mut times = Times::default();
    for _ in 0..length.turns {
        let begun = Instant::now();
        server.poll(Some(Duration::ZERO))?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

fn turns_with_a_message(server: &mut Server, length: &Length) -> io::Result<Times> {
    let mut stream = TcpStream::connect(server.local_addresses()[0])?;
    stream.write_all(UPGRADE.as_bytes())?;
    stream.write_all(&text_frame("40"))?;
    let joined = server.io().of("/").sockets_len() + 1;
    while server.io().of("/").sockets_len() < joined {
        server.poll(Some(Duration::from_millis(10)))?;
    }
    while server.poll(Some(Duration::ZERO))?.more {}
    let (question, mut chunk) = (text_frame("42[\"echo\",\"hello\"]"), [0; 4_096]);
    let _ = stream.read(&mut chunk)?;
    let mut times = Times::default();
    // A turn that doesn't do both is none of these, and another takes its place.
    for _ in 0..length.turns * 2 {
        if times.len() == length.turns {
            break;
        }
        stream.write_all(&question)?;
        let begun = Instant::now();
        let turn = server.poll(Some(Duration::ZERO))?;
        let took = begun.elapsed();
        if turn.messages == 1 && turn.writes == 1 {
            times.push(took);
        } else {
            while server.poll(Some(Duration::from_millis(10)))?.writes == 0 {}
        }
        let _ = stream.read(&mut chunk)?;
    }
    drop(stream);
    while server.io().of("/").sockets_len() == joined {
        server.poll(Some(Duration::from_millis(10)))?;
    }
    Ok(times)
}

/// How late the ticks of a host at 1 kHz begin, while many are broadcast to five times a second.
pub(crate) fn measure_jitter(length: &Length) -> io::Result<Vec<Jitter>> {
    let (sliced, unsliced) = (TurnBudget::default().slice_connections_max, usize::MAX);
    let by_default = format!("slices of {sliced} writes, as by default");
    let variants: [(&str, Option<Duration>, usize, bool); 4] = [
        ("nothing is sent", None, sliced, false),
        ("all written in one turn", None, unsliced, true),
        (&by_default, None, sliced, true),
        ("at most 50 µs a turn", Some(Duration::from_micros(50)), sliced, true),
    ];
    let mut jitters = Vec::new();
    for (what, time_max, slice, sends) in variants {
        eprintln!("jitter: {what}");
        let mut server = serve(|config| {
            config.reactor.timer_resolution = Duration::from_micros(50);
            config.budget.time_max = time_max;
            config.budget.slice_connections_max = slice;
        })?;
        let clients = join(&mut server, length.clients)?;
        let (late, completed) = tick(&mut server, length, sends)?;
        jitters.push(Jitter { what: what.to_owned(), late, completed });
        drop(clients);
    }
    Ok(jitters)
}

/// Lateness of each tick that fell due, and how long each broadcast took until its last write.
fn tick(server: &mut Server, length: &Length, sends: bool) -> io::Result<(Times, Times)> {
    let period = Duration::from_millis(1);
    // Who sends nothing needs ticks for a p99, and not the hundred broadcasts of a median.
    let ticks = if sends { length.ticks } else { length.ticks / 2 };
    let (mut late, mut completed) = (Times::default(), Times::default());
    let mut sent = Vec::new();
    let mut next = Instant::now() + period;
    while late.len() < ticks || !sent.is_empty() {
        loop {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if !server.poll(Some(left))?.more {
                sent.drain(..).for_each(|sent: Instant| completed.push(sent.elapsed()));
            }
        }
        let now = Instant::now();
        let mut is_due = false;
        // Ticks that were missed begin with this one, each as late as it is then: a stall counts by
        // its length, and not as one late tick.
        while next <= now {
            // Later ones only wait until the last broadcast is written.
            if late.len() < ticks {
                is_due |= sends && late.len() % 200 == 0;
                late.push(now - next);
            }
            next += period;
        }
        if is_due {
            server.emit("state", PAYLOAD);
            sent.push(now);
        }
    }
    Ok((late, completed))
}

/// How late timers of 250 µs fire, as finely as epoll waits and as finely as a timerfd does.
pub(crate) fn measure_timers(length: &Length) -> io::Result<Vec<TimerLag>> {
    let mut lags = Vec::new();
    for (what, resolution) in [
        ("1 ms, as by default", Duration::from_millis(1)),
        ("50 µs, by timerfd", Duration::from_micros(50)),
    ] {
        eprintln!("timers: {what}");
        let mut server = serve(|config| config.reactor.timer_resolution = resolution)?;
        let period = Duration::from_micros(250);
        let fired = Rc::new(RefCell::new(Times::default()));
        for _ in 0..length.timers {
            let times = Rc::clone(&fired);
            let due = Instant::now() + period;
            server.io().after(period, move |_| times.borrow_mut().push(due.elapsed()));
            let before = fired.borrow().len();
            while fired.borrow().len() == before {
                server.poll(None)?;
            }
        }
        lags.push(TimerLag { what: what.to_owned(), late: fired.take() });
    }
    Ok(lags)
}

/// What a client waits for an answer, and what the host's core does meanwhile.
pub(crate) fn measure_spins(length: &Length) -> io::Result<Vec<Spin>> {
    let period = Duration::from_micros(500);
    let mut spins = Vec::new();
    for (what, spin) in [
        ("none, as by default", Some(Duration::ZERO)),
        ("50 µs, then sleep", Some(Duration::from_micros(50))),
        ("1 ms, then sleep", Some(Duration::from_millis(1))),
        ("the host never sleeps", None),
    ] {
        eprintln!("spin: {what}");
        let mut server = serve(|config| config.reactor.spin = spin.unwrap_or_default())?;
        let address = server.local_addresses()[0];
        let mut asker = Clients::asker(address, length.questions, period)?;
        let timeout = spin.map_or(Duration::ZERO, |_| Duration::from_millis(50));
        let (begun, cpu) = (Instant::now(), thread_time());
        while !asker.has_ended() {
            server.poll(Some(timeout))?;
        }
        let busy = thread_time().saturating_sub(cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
        let round_trips = Times::from(asker.round_trips());
        spins.push(Spin { what: what.to_owned(), round_trips, busy });
    }
    Ok(spins)
}

fn serve(configure: impl FnOnce(&mut Config)) -> io::Result<Server> {
    let mut config = Config::default();
    // No heartbeat falls into a measurement.
    config.engine.ping_interval = Duration::from_secs(600);
    configure(&mut config);
    let server = Server::builder().config(config).bind("127.0.0.1:0")?;
    server.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b).on_raw(
        "echo",
        |socket, args, _| {
            socket.emit("echo", args);
        },
    );
    Ok(server)
}

/// Has clients join, and waits until the server rests.
fn join(server: &mut Server, clients: usize) -> io::Result<Clients> {
    let wanted = server.io().of("/").sockets_len() + clients;
    let process = Clients::many(server.local_addresses()[0], clients)?;
    while server.io().of("/").sockets_len() < wanted {
        server.poll(Some(Duration::from_millis(100)))?;
    }
    let rested = Instant::now() + Duration::from_millis(300);
    while Instant::now() < rested {
        server.poll(Some(Duration::from_millis(10)))?;
    }
    Ok(process)
}

/// The processor time of this thread.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

const PAYLOAD: &str = "what the world looks like now: sixty-four bytes of it, more or less";
