//! The server's side of the simulated world, as its trait `Net` wants it.
//!
//! Edge-triggered and unkind within the contract: readiness is late, merged or spurious; reads
//! find pieces, writes fall short, calls are interrupted, descriptors run out.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use throng::net::{Accepted, Net, Ready};

use crate::world::World;

/// The simulated network.
#[derive(Debug)]
pub(crate) struct SimNet(pub(crate) Rc<RefCell<World>>);

/// The server's end of a connection, by the place of its pipe.
#[derive(Debug)]
pub(crate) struct SimStream(usize);

/// The one listener.
#[derive(Debug)]
pub(crate) struct SimListener;

impl Net for SimNet {
    type Listener = SimListener;
    type Stream = SimStream;

    fn wait(&mut self, ready: &mut Vec<Ready>, _: Option<Duration>) -> io::Result<()> {
        self.0.borrow_mut().wait(ready);
        Ok(())
    }

    fn listen(&mut self, _: &mut SimListener, token: u64) -> io::Result<()> {
        self.0.borrow_mut().listen(token);
        Ok(())
    }

    fn accept(&mut self, _: &mut SimListener) -> io::Result<Accepted<SimStream>> {
        let index = self.0.borrow_mut().accept()?;
        Ok(Accepted { stream: SimStream(index), peer: None })
    }

    fn register(&mut self, stream: &mut SimStream, token: u64) -> io::Result<()> {
        self.0.borrow_mut().register(stream.0, token);
        Ok(())
    }

    fn await_writable(&mut self, stream: &mut SimStream, token: u64) -> io::Result<()> {
        self.0.borrow_mut().await_writable(stream.0, token);
        Ok(())
    }

    fn read(&mut self, stream: &mut SimStream, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(stream.0, buffer)
    }

    fn write(&mut self, stream: &mut SimStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.borrow_mut().write(stream.0, slices)
    }

    fn shutdown(&mut self, stream: &mut SimStream) -> io::Result<()> {
        self.0.borrow_mut().shutdown(stream.0)
    }

    fn close(&mut self, stream: SimStream) {
        self.0.borrow_mut().close(stream.0);
    }

    fn close_listener(&mut self, _: SimListener) {
        self.0.borrow_mut().unlisten();
    }

    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }
}
