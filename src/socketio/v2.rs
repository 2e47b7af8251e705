//! What clients of Socket.IO v2 (those of EIO 3) are told otherwise, and ask otherwise.
//!
//! They are in `/` as soon as they come, hear no id and no `{"message":..}`, and put what later
//! clients send as a payload into the name of the namespace. All else is the same for both.
//!
//! ```text
//! < 0{"sid":".."}  < 40        > 40/chat?token=x,    < 40/chat,
//!                              > 40/nope,            < 44/nope,{"message":"Invalid namespace"}
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::State;
use super::handler::Refusal;
use super::recovery::Welcome;
use super::rooms::SocketKey;
use super::socket_id::SocketId;
use crate::engineio::{Protocol, Sid};
use crate::slots::SessionKey;

/// A namespace and what came with its name.
pub(super) struct Address<'a> {
    pub(super) namespace: &'a str,
    /// The query behind the name, read as `application/x-www-form-urlencoded`.
    query: Option<&'a str>,
    is_v2: bool,
}

impl State {
    /// What a client means by the name of a namespace.
    pub(super) fn address<'a>(&self, session: SessionKey, name: &'a str) -> Address<'a> {
        let is_v2 = self.is_v2(session);
        if !is_v2 {
            return Address { namespace: name, query: None, is_v2 };
        }
        let name = name.split_once('#').map_or(name, |(name, _)| name);
        match name.split_once('?') {
            Some((namespace, query)) => Address { namespace, query: Some(query), is_v2 },
            None => Address { namespace: name, query: None, is_v2 },
        }
    }

    pub(super) fn is_v2(&self, session: SessionKey) -> bool {
        self.engine.protocol(session) == Some(Protocol::V3)
    }

    /// The id of a new socket: the client's own in EIO 3, random otherwise.
    pub(super) fn new_socket_id(&mut self, session: SessionKey, namespace: &str) -> SocketId {
        match self.engine.sid(session) {
            Some(sid) if self.is_v2(session) => SocketId::of_session(sid, namespace),
            _ => SocketId::plain(Sid::generate(&mut *self.entropy)),
        }
    }

    /// What a client that is let in is told, if it is told anything.
    pub(super) fn connect_payload(
        &self,
        session: SessionKey,
        key: SocketKey,
        id: &SocketId,
    ) -> Option<Welcome> {
        (!self.is_v2(session)).then(|| self.welcome_of(key, id))
    }

    /// What a client that a middleware refuses is told instead of an object with the message.
    pub(super) fn refusal_v2<'a>(
        &self,
        session: SessionKey,
        refusal: &'a Refusal,
    ) -> Option<Cow<'a, str>> {
        if !self.is_v2(session) {
            return None;
        }
        // What JavaScript takes for nothing is none.
        let is_something = |data: &&str| !matches!(*data, "null" | "false" | "0" | "\"\"");
        Some(match refusal.data_json().filter(is_something) {
            Some(data) => Cow::Borrowed(data),
            None => Cow::Owned(serde_json::Value::from(refusal.message()).to_string()),
        })
    }
}

impl<'a> Address<'a> {
    /// What the client brings as its credentials: the payload, or the query in its place.
    pub(super) fn auth(&self, payload: Option<&'a str>) -> Option<Cow<'a, str>> {
        if !self.is_v2 {
            return payload.map(Cow::Borrowed);
        }
        let query = self.query.filter(|query| !query.is_empty())?;
        let mut object: BTreeMap<Cow<'_, str>, Values<'_>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).take(QUERY_PAIRS_MAX) {
            match object.remove(&name) {
                None => object.insert(name, Values::One(value)),
                Some(Values::One(first)) => {
                    object.insert(name, Values::Several(vec![first, value]))
                }
                Some(Values::Several(mut values)) => {
                    values.push(value);
                    object.insert(name, Values::Several(values))
                }
            };
        }
        serde_json::to_string(&object).ok().map(Cow::Owned)
    }
}

/// What stands for one name in a query.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Values<'a> {
    One(Cow<'a, str>),
    Several(Vec<Cow<'a, str>>),
}

/// As many as the reference reads.
const QUERY_PAIRS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(query: &str) -> Option<String> {
        let address = Address { namespace: "/", query: Some(query), is_v2: true };
        address.auth(Some("{\"never\":1}")).map(Cow::into_owned)
    }

    #[test]
    fn a_query_becomes_an_object_of_strings() {
        assert_eq!(auth("token=a%20b&n=1").as_deref(), Some(r#"{"n":"1","token":"a b"}"#));
        assert_eq!(auth("a=1&a=2&b&a=3").as_deref(), Some(r#"{"a":["1","2","3"],"b":""}"#));
        assert_eq!(auth("q=%22%5C").as_deref(), Some(r#"{"q":"\"\\"}"#));
        assert_eq!(auth(""), None);
        let many = "a=1&".repeat(100_000);
        assert!(auth(&many).unwrap().len() < 5_000);
    }
}
