//! The HTTP application that shares the port: routes of the host, for all that isn't Engine.IO's.

use std::cell::RefCell;
use std::fmt;
use std::rc::{Rc, Weak};

use crate::http::router::{Lookup, Router};
use crate::http::{Folder, Method, Request, Response};
use crate::slots::ConnectionKey;
use crate::socketio::{Command, Hub, Io};

type Route = Rc<dyn Fn(Io<'_>, &Request, Responder)>;

/// The routes of a server.
pub(crate) struct App {
    router: RefCell<Router<Route>>,
}

/// Where the routes of the attached HTTP application are declared; see
/// [`Server::http`](crate::Server::http).
///
/// Patterns are paths with parameters: `/users/{id}` takes one segment, `/files/{*path}` the rest.
/// A GET route answers HEAD too. A path that is declared for other methods only is answered 405,
/// one that isn't declared 404. A handler that panics is counted and answered 500.
///
/// ```
/// use throng::Server;
/// use throng::http::Response;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server
///     .http()
///     .get("/users/{id}", |_, request| {
///         Response::ok().text(format!("user {}", request.param("id").unwrap_or("?")))
///     })
///     .post("/notify", |io, request| match request.json::<String>() {
///         Ok(text) => {
///             io.emit("notice", &text);
///             Response::new(202)
///         }
///         Err(error) => Response::new(400).text(error.to_string()),
///     });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct HttpApp<'a> {
    app: &'a App,
}

/// Answers one request, now or later, once; see [`HttpApp::route_later`].
///
/// Dropped without an answer it answers 500. The connection waits: what it sends meanwhile is not
/// looked at, and if it goes away the answer is thrown away.
///
/// ```
/// use throng::Server;
/// use throng::http::{Method, Response};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.http().route_later(Method::Get, "/now", |_, _, responder| {
///     responder.send(Response::ok().text("as good as later"));
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Responder {
    hub: Weak<Hub>,
    connection: ConnectionKey,
    answered: bool,
}

impl HttpApp<'_> {
    /// A route for GET (and HEAD).
    ///
    /// # Panics
    /// If the pattern is malformed or in conflict with another: the host's mistake.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn get(
        self,
        pattern: &str,
        handler: impl Fn(Io<'_>, &Request) -> Response + 'static,
    ) -> Self {
        self.route(Method::Get, pattern, handler)
    }

    /// A route for POST.
    ///
    /// # Panics
    /// As [`HttpApp::get`].
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn post(
        self,
        pattern: &str,
        handler: impl Fn(Io<'_>, &Request) -> Response + 'static,
    ) -> Self {
        self.route(Method::Post, pattern, handler)
    }

    /// A route for any method.
    ///
    /// # Panics
    /// As [`HttpApp::get`].
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn route(
        self,
        method: Method,
        pattern: &str,
        handler: impl Fn(Io<'_>, &Request) -> Response + 'static,
    ) -> Self {
        self.route_later(method, pattern, move |io, request, responder| {
            responder.send(handler(io, request));
        })
    }

    /// A route that may answer later.
    ///
    /// ```
    /// use std::time::Duration;
    /// use throng::Server;
    /// use throng::http::{Method, Response};
    ///
    /// let server = Server::builder().bind("127.0.0.1:0")?;
    /// server.http().route_later(Method::Get, "/slow", |io, _, responder| {
    ///     let answer = Response::ok().text("at last");
    ///     io.after(Duration::from_millis(300), |_| responder.send(answer));
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`HttpApp::get`].
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn route_later(
        self,
        method: Method,
        pattern: &str,
        handler: impl Fn(Io<'_>, &Request, Responder) + 'static,
    ) -> Self {
        let added = self.app.router.borrow_mut().add(method, pattern, Rc::new(handler));
        if let Err(error) = added {
            panic!("{error}");
        }
        self
    }

    /// Serves the files of a folder under a path.
    ///
    /// # Panics
    /// As [`HttpApp::get`].
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn folder(self, path: &str, folder: Folder) -> Self {
        let path = path.trim_end_matches('/');
        let folder = Rc::new(folder);
        let root = Rc::clone(&folder);
        self.get(&format!("{path}/"), move |_, request| root.respond("", request))
            .get(&format!("{path}/{{*path}}"), move |_, request| {
                folder.respond(request.param("path").unwrap_or(""), request)
            })
    }

    /// Answers every request that no route matches.
    #[allow(clippy::return_self_not_must_use, reason = "a declaration is complete by itself")]
    pub fn fallback(self, handler: impl Fn(Io<'_>, &Request) -> Response + 'static) -> Self {
        self.app.router.borrow_mut().fallback(Rc::new(
            move |io: Io<'_>, request: &Request, responder: Responder| {
                responder.send(handler(io, request));
            },
        ));
        self
    }
}

impl App {
    pub(crate) fn new() -> Self {
        Self { router: RefCell::new(Router::new()) }
    }

    pub(crate) fn declare(&self) -> HttpApp<'_> {
        HttpApp { app: self }
    }

    /// Finds the route and calls it; the answer comes as a command.
    pub(crate) fn handle(&self, hub: &Rc<Hub>, connection: ConnectionKey, mut request: Request) {
        let responder = Responder { hub: Rc::downgrade(hub), connection, answered: false };
        let router = self.router.borrow();
        let route = match router.find(request.method(), request.path()) {
            Lookup::Found { handler, params } => {
                let handler = Rc::clone(handler);
                request.set_params(params);
                handler
            }
            Lookup::MethodNotAllowed { allow } => {
                return responder.send(Response::new(405).header("Allow", allow));
            }
            Lookup::NotFound => return responder.send(Response::new(404)),
        };
        drop(router);
        hub.run_unbound(|| route(Io::new(hub), &request, responder));
    }
}

impl Responder {
    /// Sends the answer.
    pub fn send(mut self, response: Response) {
        self.answer(response);
    }

    fn answer(&mut self, response: Response) {
        if !std::mem::replace(&mut self.answered, true)
            && let Some(hub) = self.hub.upgrade()
        {
            hub.command(Command::Respond(self.connection, response));
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.answer(Response::new(500));
    }
}

impl fmt::Debug for HttpApp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpApp(..)")
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Responder(answered: {})", self.answered)
    }
}
