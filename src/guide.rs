//! Guides, one a topic: what there is, how it behaves, and an example of each that compiles.
//!
//! | guide | about |
//! |---|---|
//! | [`events`] | declaring handlers, arguments, binary, catch-alls, event middleware |
//! | [`acknowledgements`] | answering, asking, asking a room, timeouts |
//! | [`rooms`] | rooms, broadcasts, flags, what became of an emit |
//! | [`namespaces`] | several on one connection, connect middleware, dynamic ones |
//! | [`data`] | what the server keeps for a socket, and finding sockets |
//! | [`recovery`] | connection state recovery: what it gives, what it costs, its trap |
//! | [`parsers`] | JSON, msgpack, one of your own |
//! | [`engine`] | transports, old clients, browsers of other origins, hooks, the client's files |
//! | [`http`] | the application on the same port |
//! | [`threads`] | answers from other threads, and work that takes its time |
//! | [`embedding`] | the server in a loop of your own |
//! | [`limits`] | what a peer may cost, slow consumers, counters |
//! | [`adapters`] | several servers as one |
//! | [`testing`] | testing your handlers without sockets or sleeps |
//! | [`migration`] | coming from Node.js: each idiom beside ours |

macro_rules! guides {
    ($($name:ident $file:literal)+) => {
        $(#[doc = include_str!($file)] pub mod $name {})+
    };
}

guides! {
    events "guide/events.md"
    acknowledgements "guide/acknowledgements.md"
    rooms "guide/rooms.md"
    namespaces "guide/namespaces.md"
    data "guide/data.md"
    recovery "guide/recovery.md"
    parsers "guide/parsers.md"
    engine "guide/engine.md"
    http "guide/http.md"
    threads "guide/threads.md"
    embedding "guide/embedding.md"
    limits "guide/limits.md"
    adapters "guide/adapters.md"
    testing "guide/testing.md"
    migration "guide/migration.md"
}
