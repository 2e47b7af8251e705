//! Arguments that may go to another thread: encoded by the one, emitted by the other.
//!
//! They are the `Send` form of [`OwnedArgs`], whose attachments are shared within one thread:
//! here each has bytes of its own, which are copied once more on the way into the loop.

use super::{EncodeError, IntoArgs, OwnedArgs};

/// Arguments on their way to another thread, as JSON with attachments.
#[derive(Debug)]
pub(crate) struct SendableArgs {
    json: String,
    len: usize,
    attachments: Vec<Box<[u8]>>,
}

impl SendableArgs {
    /// Encodes arguments in this thread.
    pub(crate) fn new(args: impl IntoArgs) -> Result<Self, EncodeError> {
        let args = OwnedArgs::new(args)?;
        let attachments = args.as_args().attachments().map(Box::from).collect();
        let len = args.as_args().len();
        Ok(Self { json: args.into_json(), len, attachments })
    }

    /// The same in the thread that emits them.
    pub(crate) fn into_owned(self) -> OwnedArgs {
        let attachments = self.attachments.into_iter().map(Into::into).collect();
        OwnedArgs::from_json(self.json, self.len, attachments)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Binary;
    use super::*;

    #[test]
    fn they_are_the_same_in_the_other_thread() {
        let args = SendableArgs::new(("a", &Binary(vec![1, 2]), &Binary(vec![]))).unwrap();
        std::thread::spawn(move || {
            let there = args.into_owned();
            let here = OwnedArgs::new(("a", &Binary(vec![1, 2]), &Binary(vec![]))).unwrap();
            assert_eq!(there.as_args().json(), here.as_args().json());
            assert_eq!(there.as_args().len(), 3);
            assert!(there.as_args().attachments().eq(here.as_args().attachments()));
        })
        .join()
        .unwrap();
    }
}
