//! Recovery over several servers: the session is saved by one and restored by another, the
//! offsets are the stream's.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use super::SEEDS;
use super::world::World;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Profile {
    name: RefCell<String>,
}

fn recovering(seed: u64) -> World {
    let world = World::recovering(seed, 3);
    for server in &world.servers {
        server
            .of("/")
            .shared_data::<Profile>()
            .on("name", |socket, name: String| {
                socket.data::<Profile>().name.replace(name);
                socket.join("lobby");
            })
            .on_with_ack("who?", |socket, (): ()| {
                let name = socket.data::<Profile>().name.borrow().clone();
                (name, socket.recovered(), socket.rooms())
            });
    }
    world
}

#[test]
fn what_goes_through_the_stream_is_deferred_and_comes_once_in_one_order_everywhere() {
    for seed in SEEDS {
        let mut world = recovering(seed);
        let mut clients: Vec<_> = (0..3).map(|server| world.join(server)).collect();
        for number in 0..12 {
            let emitted = world.servers[number % 3].emit("event", &number);
            assert!(emitted.deferred && emitted.queued == 0);
            world.run(Duration::from_millis(2));
        }
        world.run(Duration::from_millis(200));
        let heard: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                world.listen(client);
                client.take()
            })
            .collect();
        let expected: Vec<_> = (0..12).map(|number| format!("2[\"event\",{number}]")).collect();
        assert_eq!(heard, [expected.clone(), expected.clone(), expected], "seed {seed}");
        assert_eq!(clients[0].offset, clients[2].offset);
    }
}

#[test]
fn a_client_that_comes_back_to_another_server_gets_what_it_had_and_missed() {
    for seed in SEEDS {
        let mut world = recovering(seed);
        let mut client = world.join(0);
        world.send(&mut client, "42[\"name\",\"Ann\"]");
        world.servers[1].to("lobby").emit("first", ());
        world.run(Duration::from_millis(100));
        world.listen(&mut client);
        assert_eq!(client.take(), ["2[\"first\"]"], "seed {seed}");
        world.cut(&mut client);
        assert_eq!(world.servers[0].io().sockets_len(), 0);
        world.servers[1].to("lobby").emit("missed", &1);
        world.servers[2].to("elsewhere").emit("not for it", ());
        world.servers[0].emit("missed", &2);
        world.servers[2].to("lobby").except("lobby").emit("not for it", ());
        world.run(Duration::from_millis(100));
        let mut back = world.rejoin(2, &client);
        assert_eq!((&back.id, &back.pid), (&client.id, &client.pid), "seed {seed}");
        // Before its CONNECT reply.
        let missed = ["2[\"missed\",1,", "2[\"missed\",2,"];
        for (packet, expected) in back.heard.iter().zip(missed) {
            assert!(packet.starts_with(expected), "seed {seed}: {packet}");
        }
        assert!(back.heard[2].starts_with('0') && back.heard.len() == 3, "{:?}", back.heard);
        back.take();
        world.send(&mut back, "420[\"who?\"]");
        world.servers[0].to("lobby").emit("again", ());
        world.run(Duration::from_millis(100));
        world.listen(&mut back);
        let mut heard = back.take();
        heard.sort();
        let who = "30[[\"Ann\",true,[\"lobby\"]]]";
        assert_eq!(heard, ["2[\"again\"]", who], "seed {seed}");
        // The store gave its session away.
        world.cut(&mut back);
        let third = world.rejoin(1, &back);
        let fourth = world.rejoin(0, &back);
        assert_eq!(third.id, client.id);
        assert_ne!(fourth.id, client.id);
        assert_eq!(world.servers[0].io().socket_counters().recoveries_failed, 1);
    }
}

/// Clients that lose their connections all the time and hop from server to server miss nothing and
/// get nothing twice.
#[test]
fn clients_that_hop_between_servers_hear_everything_once() {
    for seed in SEEDS {
        let mut world = recovering(seed);
        let mut clients: BTreeMap<usize, _> = (0..4).map(|it| (it, world.join(it % 3))).collect();
        let mut heard = vec![Vec::new(); 4];
        world.servers[0].emit("event", &0);
        world.run(Duration::from_millis(100));
        for number in 1..30 {
            world.servers[number % 3].emit("event", &number);
            let hopper = number % 4;
            let mut client = clients.remove(&hopper).unwrap();
            world.cut(&mut client);
            heard[hopper].append(&mut client.take());
            let back = world.rejoin((number / 2) % 3, &client);
            assert_eq!(back.id, client.id, "seed {seed}, event {number}");
            clients.insert(hopper, back);
        }
        world.run(Duration::from_millis(200));
        for (number, client) in &mut clients {
            world.listen(client);
            heard[*number].append(&mut client.take());
            let shown: Vec<_> = heard[*number].iter().map(|packet| number_of(packet)).collect();
            assert_eq!(shown, (0..30).collect::<Vec<_>>(), "seed {seed}, client {number}");
        }
    }
}

/// The number in `2["event",7]`, with or without its offset.
fn number_of(packet: &str) -> usize {
    let args = packet.strip_prefix("2[\"event\",").unwrap_or_else(|| panic!("{packet}"));
    args.split([',', ']']).next().unwrap().parse().unwrap()
}
