//! Several servers in one process, in virtual time, with an adapter between them whose messages
//! are delayed, lost and reordered by seed: what the public `Adapter` trait must be good for.
//!
//! In every run an event reaches a client at most once and every callback is called exactly once;
//! where the bus loses nothing, nothing is lost.

mod adapter;
mod bus;
mod recovery;
mod wire;
mod world;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use throng::{Answers, Binary};
use world::{Client, World};

/// What callbacks tell.
type Told = Rc<RefCell<Vec<String>>>;

const SEEDS: std::ops::Range<u64> = 1..40;

/// One client on each of three servers.
fn three(seed: u64) -> (World, Vec<Client>) {
    let mut world = World::new(seed, 3);
    let clients = (0..3).map(|server| world.join(server)).collect();
    (world, clients)
}

fn hear(world: &mut World, clients: &mut [Client]) -> Vec<Vec<String>> {
    world.run(Duration::from_millis(200));
    let listened = clients.iter_mut().map(|client| {
        world.listen(client);
        client.take()
    });
    listened.collect()
}

#[test]
fn a_broadcast_reaches_every_server_once_and_stays_on_one_if_it_is_local() {
    for seed in SEEDS {
        let (mut world, mut clients) = three(seed);
        let emitted = world.servers[0].emit("news", (&1, &Binary(vec![7])));
        assert_eq!((emitted.queued, emitted.deferred), (1, false));
        world.servers[1].local().emit("here", ());
        world.servers[2].io().volatile().emit("maybe", ());
        for (server, heard) in hear(&mut world, &mut clients).iter().enumerate() {
            let count = |event: &str| heard.iter().filter(|text| text.contains(event)).count();
            assert_eq!(count("news"), 1, "seed {seed}: {heard:?}");
            assert_eq!(count("here"), usize::from(server == 1), "seed {seed}");
            assert!(count("maybe") <= 1, "seed {seed}");
        }
    }
}

#[test]
fn rooms_and_exceptions_span_the_servers_and_a_sender_hears_nothing_of_its_own() {
    let (mut world, mut clients) = three(7);
    for server in &world.servers {
        server.of("/").on("shout", |socket, (): ()| {
            socket.to("a").to("b").emit("shouted", ());
        });
    }
    let id = |client: &Client| client.id.parse::<throng::SocketId>().unwrap();
    let ids: Vec<_> = clients.iter().map(id).collect();
    // From server 0: everybody into `a`, two of them into `b`, one by its id.
    world.servers[0].io().of("/").sockets_join("a");
    world.servers[0].to(&ids[2]).sockets_join(["b", "c"]);
    world.servers[0].to(&ids[1]).sockets_join("b");
    assert!(hear(&mut world, &mut clients).iter().all(Vec::is_empty));
    world.servers[1].to(["a", "b"]).except("c").emit("two", ());
    world.send(&mut clients[1], "42[\"shout\"]");
    let two = "2[\"two\"]".to_owned();
    let shouted = "2[\"shouted\"]".to_owned();
    let mut heard = hear(&mut world, &mut clients);
    for heard in &mut heard {
        heard.sort();
    }
    assert_eq!(heard, [vec![shouted.clone(), two.clone()], vec![two], vec![shouted]]);
    world.servers[2].to("b").sockets_leave("a");
    world.run(Duration::from_millis(100));
    world.servers[1].to("a").emit("left", ());
    let heard = hear(&mut world, &mut clients);
    assert_eq!(heard.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 0]);
    world.servers[0].to("c").disconnect_sockets();
    world.servers[0].to(&ids[1]).disconnect_clients();
    let heard = hear(&mut world, &mut clients);
    assert_eq!(heard, [vec![], vec!["1".to_owned()], vec!["1".to_owned()]]);
    let sessions: Vec<_> = world.servers.iter().map(|server| server.io().sessions_len()).collect();
    assert_eq!(sessions, [1, 0, 1]);
    assert_eq!(world.servers.iter().map(|server| server.io().sockets_len()).sum::<usize>(), 1);
}

#[test]
fn what_is_asked_of_a_parent_goes_to_the_children_of_all_servers() {
    let (mut world, mut clients) = three(11);
    for (node, server) in world.servers.iter().enumerate() {
        server.of_pattern("^/room-[0-9]+$").unwrap().on_server_side_raw(
            "node?",
            move |namespace, _, ack| {
                ack.unwrap().send(&format!("{}{node}", namespace.name()));
            },
        );
    }
    for (client, room) in [(0, 1), (0, 2), (1, 1), (2, 2)] {
        world.send(&mut clients[client], &format!("40/room-{room},"));
    }
    hear(&mut world, &mut clients);
    let told = Told::default();
    let tell = Rc::clone(&told);
    let parent = world.servers[0].of("/_0");
    parent.sockets_join("a");
    parent.server_side_emit_with_ack::<String>("node?", (), move |_, answers| {
        let mut values = answers.unwrap().values;
        values.sort();
        tell.borrow_mut().push(format!("{values:?}"));
    });
    world.run(Duration::from_secs(1));
    // A server that has no such child makes it when it is told of it.
    let nodes = "[\"/room-11\", \"/room-12\", \"/room-21\", \"/room-22\"]";
    assert_eq!(told.take(), [nodes]);
    let members = |server: usize, name| world.servers[server].of(name).room("a").len();
    assert_eq!((members(1, "/room-1"), members(2, "/room-2")), (1, 1));
    let tell = Rc::clone(&told);
    world.servers[0].of("/_0").all().emit_with_ack::<u32>("score?", (), move |_, answers| {
        tell.borrow_mut().push(format!("{} of {}", answers.values.len(), answers.expected));
    });
    let heard = hear(&mut world, &mut clients);
    for (client, heard) in heard.iter().enumerate() {
        for packet in heard {
            let (address, _) = packet.split_once('[').unwrap();
            world.send(&mut clients[client], &format!("43{}[1]", &address[1..]));
        }
    }
    world.run(Duration::from_secs(1));
    assert_eq!(told.take(), ["4 of 4"]);
}

/// Asks all clients from the first server.
fn ask(world: &World, told: &Told, timeout: Option<u64>) {
    let told = Rc::clone(told);
    let operator = match timeout {
        Some(millis) => world.servers[0].timeout(Duration::from_millis(millis)),
        None => world.servers[0].io().of("/").all(),
    };
    operator.emit_with_ack::<u64>("score?", (), move |_, mut answers: Answers<u64>| {
        answers.values.sort_unstable();
        told.borrow_mut().push(format!(
            "{:?} of {}, timed out: {}",
            answers.values, answers.expected, answers.timed_out
        ));
    });
}

/// The id by which a client was asked.
fn ack_id(client: &mut Client) -> Option<String> {
    let asked = client.take().into_iter().find(|packet| packet.contains("score?"))?;
    asked.strip_prefix('2')?.split_once('[').map(|(id, _)| id.to_owned())
}

#[test]
fn acknowledgements_come_from_all_servers_and_partly_at_the_time_out() {
    for seed in SEEDS {
        let (mut world, mut clients) = three(seed);
        let told = Told::default();
        ask(&world, &told, Some(500));
        world.run(Duration::from_millis(100));
        for (number, client) in clients.iter_mut().enumerate() {
            world.listen(client);
            let id = ack_id(client).unwrap_or_else(|| panic!("seed {seed}: {number} is not asked"));
            world.send(client, &format!("43{id}[{number},\"more\"]"));
        }
        world.run(Duration::from_millis(100));
        assert_eq!(told.take(), ["[0, 1, 2] of 3, timed out: false"], "seed {seed}");
        // One says nothing.
        ask(&world, &told, Some(500));
        world.run(Duration::from_millis(100));
        for client in &mut clients[..2] {
            world.listen(client);
            let id = ack_id(client).unwrap();
            world.send(client, &format!("43{id}[5]"));
        }
        world.run(Duration::from_millis(399));
        assert_eq!(told.take(), [""; 0], "seed {seed}");
        world.run(Duration::from_millis(2));
        assert_eq!(told.take(), ["[5, 5] of 3, timed out: true"], "seed {seed}");
        // Its answer is too late, and nobody's.
        world.listen(&mut clients[2]);
        let id = ack_id(&mut clients[2]).unwrap();
        world.send(&mut clients[2], &format!("43{id}[9]"));
        world.run(Duration::from_secs(2));
        assert_eq!(told.take(), [""; 0]);
    }
}

#[test]
fn who_leaves_another_server_is_not_waited_for() {
    let (mut world, mut clients) = three(3);
    let told = Told::default();
    ask(&world, &told, None);
    world.run(Duration::from_millis(100));
    for client in &mut clients {
        world.cut(client);
    }
    world.run(Duration::from_millis(100));
    assert_eq!(told.take(), ["[] of 3, timed out: false"]);
}

#[test]
fn sockets_are_fetched_from_all_servers_or_it_is_told_how_many_answered() {
    let (mut world, clients) = three(5);
    world.servers[1].io().of("/").local().sockets_join("lobby");
    let told = Told::default();
    let fetch = |world: &World| {
        let told = Rc::clone(&told);
        world.servers[0].io().fetch_sockets(move |_, sockets| {
            told.borrow_mut().push(match sockets {
                Ok(sockets) => {
                    let ids: BTreeSet<_> = sockets.iter().map(|it| it.id().to_string()).collect();
                    let in_lobby = sockets.iter().filter(|it| it.rooms().len() == 2).count();
                    assert!(sockets.iter().all(|it| it.handshake_json().contains("\"headers\"")));
                    format!("{} sockets, {in_lobby} in the lobby", ids.len())
                }
                Err(error) => error.to_string(),
            });
        });
    };
    fetch(&world);
    world.run(Duration::from_millis(100));
    assert_eq!(told.take(), ["3 sockets, 1 in the lobby"]);
    world.bus.borrow_mut().lost_of_1000 = 1_000;
    fetch(&world);
    world.run(Duration::from_millis(999));
    assert_eq!(told.take(), [""; 0]);
    world.run(Duration::from_millis(2));
    let error = "timeout reached: only 1 responses received out of 3";
    assert_eq!(told.take(), [error]);
    // What a fetched socket does, it does wherever it is.
    world.bus.borrow_mut().lost_of_1000 = 0;
    let id = clients[2].id.clone();
    world.servers[0].io().fetch_sockets(move |_, sockets| {
        let sockets = sockets.unwrap();
        let socket = sockets.iter().find(|socket| socket.id().to_string() == id).unwrap();
        socket.join("x");
        socket.emit("hello", &1);
    });
    let mut clients = clients;
    let heard = hear(&mut world, &mut clients);
    assert_eq!(heard, [vec![], vec![], vec!["2[\"hello\",1]".to_owned()]]);
    assert_eq!(world.servers[2].of("/").room("x").len(), 1);
}

#[test]
fn servers_talk_to_each_other_and_answer() {
    for seed in SEEDS {
        let (mut world, _) = three(seed);
        let told = Told::default();
        for (node, server) in world.servers.iter().enumerate() {
            let heard = Rc::clone(&told);
            server
                .of("/")
                .on_server_side("reload", move |_, reason: String| {
                    heard.borrow_mut().push(format!("{node} {reason}"));
                })
                .on_server_side_raw("who?", move |_, _, ack| {
                    if let Some(ack) = ack {
                        ack.send((&node, &"ignored"));
                    }
                });
        }
        world.servers[1].of("/").server_side_emit("reload", "now");
        world.run(Duration::from_millis(100));
        told.borrow_mut().sort();
        assert_eq!(told.take(), ["0 now", "2 now"], "seed {seed}");
        let answer = |told: &Told| {
            let told = Rc::clone(told);
            move |_: throng::Io<'_>, answers: Result<Answers<usize>, _>| {
                let mut answers = answers.unwrap();
                answers.values.sort_unstable();
                let missing = answers.expected - answers.values.len();
                told.borrow_mut().push(format!("{:?}, {missing} missing", answers.values));
            }
        };
        world.servers[0].of("/").server_side_emit_with_ack("who?", (), answer(&told));
        world.run(Duration::from_millis(100));
        assert_eq!(told.take(), ["[1, 2], 0 missing"], "seed {seed}");
        world.servers[0].of("/").server_side_emit_with_ack("nobody?", (), answer(&told));
        world.run(Duration::from_secs(2));
        assert_eq!(told.take(), ["[], 2 missing"], "seed {seed}");
    }
}

/// Everything at once on a bus that loses a tenth: nothing is doubled, every callback comes once.
#[test]
fn a_bus_that_loses_messages_doubles_none_and_leaves_no_callback_behind() {
    for seed in SEEDS {
        let (mut world, mut clients) = three(seed);
        world.bus.borrow_mut().lost_of_1000 = 100;
        let called = Rc::new(RefCell::new(vec![0; 30]));
        for number in 0..10 {
            let server = &world.servers[number % 3];
            server.emit("event", &number);
            let count = |index: usize| {
                let called = Rc::clone(&called);
                move || called.borrow_mut()[index] += 1
            };
            let (first, second, third) = (count(number), count(number + 10), count(number + 20));
            let patient = server.timeout(Duration::from_millis(300));
            patient.emit_with_raw_ack("ask", (), move |_, _| first());
            server.io().fetch_sockets(move |_, _| second());
            let namespace = server.of("/");
            namespace.server_side_emit_with_ack::<u8>("q", (), move |_, _| third());
            world.run(Duration::from_millis(7));
        }
        world.run(Duration::from_secs(3));
        assert_eq!(*called.borrow(), [1; 30], "seed {seed}");
        for heard in hear(&mut world, &mut clients) {
            let events: Vec<_> = heard.iter().filter(|text| text.contains("event")).collect();
            let distinct: BTreeSet<_> = events.iter().collect();
            assert_eq!(events.len(), distinct.len(), "seed {seed}: {events:?}");
        }
    }
}

#[test]
fn a_server_that_closes_leaves_no_callback_behind() {
    let (mut world, _clients) = three(9);
    let told = Told::default();
    ask(&world, &told, None);
    let fetched = Rc::clone(&told);
    world.servers[0].io().fetch_sockets(move |_, sockets| {
        fetched.borrow_mut().push(sockets.unwrap_err().to_string());
    });
    world.servers[0].close();
    world.settle();
    told.borrow_mut().sort();
    assert_eq!(told.take(), ["[] of 1, timed out: false", "the adapter was closed"]);
    // The others go on without it.
    let fetched = Rc::clone(&told);
    world.servers[1].io().fetch_sockets(move |_, sockets| {
        fetched.borrow_mut().push(sockets.unwrap().len().to_string());
    });
    world.run(Duration::from_millis(100));
    assert_eq!(told.take(), ["2"]);
}
