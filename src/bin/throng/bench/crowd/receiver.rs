//! Receiving with the kernel's stamp: when the bytes arrived, however late they are read.
//!
//! ```text
//! recvmsg -> 81 52 42["chat",..    SCM_TIMESTAMPNS 1795300000.123456789
//! ```

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

/// The buffers that all connections of a shard share.
#[derive(Debug)]
pub(crate) struct Receiver {
    buffer: Vec<u8>,
    control: Vec<u8>,
    kernel: bool,
}

/// What one call brought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) bytes: usize,
    /// The wall clock when the last of them arrived; `None` where the kernel doesn't tell.
    pub(crate) stamp_ns: Option<u64>,
}

impl Receiver {
    pub(crate) fn new(kernel: bool) -> Self {
        Self { buffer: vec![0; BUFFER_BYTES], control: cmsg_space!(TimeSpec), kernel }
    }

    /// Asks the kernel to stamp what a socket receives.
    pub(crate) fn prepare(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        if self.kernel {
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        }
        Ok(())
    }

    pub(crate) fn receive(
        &mut self,
        socket: &impl AsRawFd,
        bytes_max: usize,
    ) -> io::Result<Received> {
        let length = bytes_max.min(self.buffer.len());
        let mut slices = [IoSliceMut::new(self.buffer.get_mut(..length).unwrap_or_default())];
        let control = self.kernel.then_some(self.control.as_mut_slice());
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut slices, control, MsgFlags::empty())?;
        let mut stamp_ns = None;
        if self.kernel {
            for control in message.cmsgs()? {
                if let ControlMessageOwned::ScmTimestampns(time) = control {
                    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
                    let nanoseconds = u64::try_from(time.tv_nsec()).unwrap_or(0);
                    stamp_ns = Some(seconds * 1_000_000_000 + nanoseconds);
                }
            }
        }
        Ok(Received { bytes: message.bytes, stamp_ns })
    }

    /// The first bytes of what the last call brought.
    pub(crate) fn bytes(&self, count: usize) -> &[u8] {
        self.buffer.get(..count).unwrap_or_default()
    }

    /// Whether so many bytes may not have been all there were.
    pub(crate) fn is_full(&self, count: usize) -> bool {
        count >= self.buffer.len()
    }
}

const BUFFER_BYTES: usize = 256 * 1_024;
