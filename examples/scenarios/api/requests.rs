//! What the host changes and hears of the requests below: ids, headers, what was refused, and how
//! sessions begin and end.
//!
//! ```text
//! < HTTP/1.1 200 OK
//! < X-Served-By: node a
//! < Set-Cookie: node=a; Path=/; HttpOnly
//! <
//! < 0{"sid":"api-..."}
//! ```

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use throng::{ConnectionError, Server, Session, Transport};

pub(crate) fn declare(server: &mut Server) {
    server
        .engine()
        .generate_id(|_| random_id())
        .on_initial_headers(|_, headers| headers.append("Set-Cookie", "node=a; Path=/; HttpOnly"))
        .on_headers(|_, headers| headers.set("X-Served-By", "node a"))
        .on_open(|session, _| tell(session, &format!("has opened by {}", transport(session))))
        .on_upgrade(|session| tell(session, &format!("has moved to {}", transport(session))))
        .on_close(|session, reason| tell(session, &format!("has closed: {reason}")));
    let refused: Rc<RefCell<Vec<ConnectionError>>> = Rc::default();
    let noted = Rc::clone(&refused);
    server.on_connection_error(move |_, error| {
        let mut noted = noted.borrow_mut();
        if noted.len() < ERRORS_MAX {
            noted.push(error.clone());
        }
    });
    server.of("/").on_with_ack("connection-errors", move |_, (): ()| refused.take());
}

fn tell(session: Session<'_>, what: &str) {
    println!("session {} {what}", session.sid().unwrap_or_default());
}

fn transport(session: Session<'_>) -> &'static str {
    session.transport().map_or("nothing", Transport::as_str)
}

/// Twenty characters, as sessions want them: a name for this server, and what nobody can guess.
fn random_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes)?;
    Ok(format!("api-{}", URL_SAFE_NO_PAD.encode(bytes)))
}

const ERRORS_MAX: usize = 100;
