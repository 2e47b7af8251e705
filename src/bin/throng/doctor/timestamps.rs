//! Whether the kernel stamps what arrives on a TCP connection over loopback, and whether its stamp
//! can be compared with our clock: tried, as no setting tells.
//!
//! ```text
//! send   12:00:00.000 000 100     our clock before
//! stamp  12:00:00.000 004 300     SO_TIMESTAMPNS
//! read   12:00:00.000 009 800     our clock behind
//! ```

use std::io::{self, IoSliceMut, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

use super::check::{Check, Section, Verdict};

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    /// It lies between the send and the read; so long was it read behind the stamp.
    Between(Duration),
    /// It lies before the send or behind the read.
    Outside,
    /// There is none.
    Absent,
}

pub(super) fn check() -> Check {
    let check = Check::good(Section::Measured, "kernel stamps", "");
    let (found, why) = match try_one() {
        Ok(Stamp::Between(read)) => {
            return Check { found: format!("work, read {} µs behind", read.as_micros()), ..check };
        }
        Ok(Stamp::Outside) => ("don't fit our clock".to_owned(), "was set meanwhile, or differs"),
        Ok(Stamp::Absent) => ("none on TCP".to_owned(), "is the only one"),
        Err(error) => (format!("can't be tried: {error}"), "is the only one"),
    };
    let why = format!(
        "The generator's clock {why}: use --stamps user, and know that its own delay is then in \
         the latencies."
    );
    Check { found, ..check }.because(Verdict::WorthKnowing, why)
}

fn try_one() -> io::Result<Stamp> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (receiver, _) = listener.accept()?;
    receiver.set_read_timeout(Some(PATIENCE))?;
    setsockopt(&receiver, sockopt::ReceiveTimestampns, &true)?;
    let mut last = Stamp::Absent;
    for _ in 0..ATTEMPTS {
        let sent = since_epoch();
        sender.write_all(b"2")?;
        let stamp = read_stamp(&receiver)?;
        last = judge(sent, stamp, since_epoch());
        if last != Stamp::Absent {
            break;
        }
        // The kernel begins to stamp a moment after the first socket has asked for it.
        std::thread::sleep(BETWEEN_ATTEMPTS);
    }
    Ok(last)
}

fn read_stamp(receiver: &TcpStream) -> io::Result<Option<Duration>> {
    let mut buffer = [0];
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let mut control = cmsg_space!(TimeSpec);
    let flags = MsgFlags::empty();
    let message = recvmsg::<()>(receiver.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
    let stamp = message.cmsgs()?.find_map(|one| match one {
        ControlMessageOwned::ScmTimestampns(time) => Some(time),
        _ => None,
    });
    Ok(stamp.and_then(|time| {
        let seconds = u64::try_from(time.tv_sec()).ok()?;
        Some(Duration::new(seconds, u32::try_from(time.tv_nsec()).ok()?))
    }))
}

fn judge(sent: Duration, stamp: Option<Duration>, read: Duration) -> Stamp {
    match stamp {
        None => Stamp::Absent,
        Some(stamp) if sent <= stamp && stamp <= read => Stamp::Between(read.saturating_sub(stamp)),
        Some(_) => Stamp::Outside,
    }
}

/// Stamps are of this clock, so it is the one to compare with.
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Loopback delivers within microseconds.
const PATIENCE: Duration = Duration::from_secs(2);

const ATTEMPTS: u32 = 20;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_lies_between_send_and_read() {
        let at = Duration::from_micros;
        assert_eq!(judge(at(10), Some(at(14)), at(20)), Stamp::Between(at(6)));
        assert_eq!(judge(at(10), Some(at(9)), at(20)), Stamp::Outside);
        assert_eq!(judge(at(10), Some(at(21)), at(20)), Stamp::Outside);
        assert_eq!(judge(at(10), None, at(20)), Stamp::Absent);
    }

    #[test]
    fn trying_answers() {
        assert_eq!(check().name, "kernel stamps");
        assert!(try_one().is_ok());
    }
}
