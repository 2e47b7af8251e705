//! The data of sockets that other servers may see: the host's own type, written as JSON.
//!
//! ```text
//! of("/").shared_data::<Profile>()      socket.data::<Profile>()      {"name":"Ann"}
//! ```

use std::any::{Any, TypeId};
use std::fmt;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Hub;
use super::rooms::SocketKey;

/// How one type of the host's data is written and read.
#[derive(Clone, Copy)]
pub(crate) struct DataCodec {
    of: TypeId,
    encode: fn(Option<&dyn Any>) -> Option<String>,
    decode: fn(&str) -> Option<Rc<dyn Any>>,
}

impl DataCodec {
    pub(super) fn of<T: Default + Serialize + DeserializeOwned + 'static>() -> Self {
        Self {
            of: TypeId::of::<T>(),
            encode: |data| match data.and_then(|data| data.downcast_ref::<T>()) {
                Some(data) => serde_json::to_string(data).ok(),
                None => serde_json::to_string(&T::default()).ok(),
            },
            decode: |json| {
                let data: T = serde_json::from_str(json).ok()?;
                Some(Rc::new(data))
            },
        }
    }
}

impl Hub {
    /// The shared data of a socket as JSON, if its namespace has declared any. The host's
    /// `Serialize` runs; where it panics or fails, there is none.
    pub(super) fn shared_data_json(self: &Rc<Self>, key: SocketKey) -> Option<Rc<str>> {
        let (codec, data) = {
            let state = self.state.borrow();
            let entry = state.sockets.get(key)?;
            let codec = state.namespaces.get(entry.namespace).watchers.codec?;
            let mut kept = entry.extras.iter().flat_map(|extras| &extras.data);
            (codec, kept.find(|data| (***data).type_id() == codec.of).cloned())
        };
        let mut json = None;
        self.run_unbound(|| json = (codec.encode)(data.as_deref()));
        if json.is_none() {
            self.state.borrow_mut().counters.encode_errors += 1;
        }
        json.map(Rc::from)
    }

    /// Gives a socket the shared data that another of its kind had.
    pub(super) fn restore_shared_data(self: &Rc<Self>, key: SocketKey, json: &str) {
        let codec = {
            let state = self.state.borrow();
            let id = state.sockets.get(key).map(|entry| entry.namespace);
            id.and_then(|id| state.namespaces.get(id).watchers.codec)
        };
        let Some(codec) = codec else { return };
        let mut data = None;
        self.run_unbound(|| data = (codec.decode)(json));
        if let Some(data) = data {
            self.set_data(key, data);
        }
    }

    /// Replaces the host's data of this very type.
    pub(super) fn set_data(&self, key: SocketKey, data: Rc<dyn Any>) {
        let mut state = self.state.borrow_mut();
        let Some(entry) = state.sockets.get_mut(key) else { return };
        let kept = &mut entry.extras.get_or_insert_default().data;
        let place = kept.iter().position(|kept| (**kept).type_id() == (*data).type_id());
        let replaced = place.map(|place| kept.swap_remove(place));
        kept.push(data);
        // Dropping the host's value may run the host's code: not while the state is borrowed.
        drop(state);
        drop(replaced);
    }
}

impl fmt::Debug for DataCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataCodec(..)")
    }
}
