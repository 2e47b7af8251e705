//! The JavaScript client's own files, served beside Engine.IO.
//!
//! It is no folder of static files: eight names, fixed, read once.
//!
//! ```text
//! > GET /socket.io/socket.io.min.js        < 200  ETag: "4.8.3"  Cache-Control: public, max-age=0
//! > If-None-Match: W/"4.8.3"               < 304
//! ```

use std::cell::OnceCell;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use serde::Deserialize;

use crate::http::coding::ContentCoding;
use crate::http::{Request, Response};

/// The files of the JavaScript client, as npm installs them: the folder `dist` of
/// `socket.io-client`, or `client-dist` of `socket.io`.
///
/// Handed to [`Builder::client_files`](crate::Builder::client_files), they are served under
/// Engine.IO's path, so that a page may say `<script src="/socket.io/socket.io.js">`: the names
/// `socket.io.js`, `socket.io.min.js`, `socket.io.esm.min.js`, `socket.io.msgpack.min.js`, and each
/// with `.map`. Any method gets them and the query is ignored, as in the reference.
///
/// They are read once, here, into memory. With the `compression` feature a client that accepts it
/// gets them as brotli, gzip or deflate; each file is coded once for each of these, at the first
/// request for it, on the loop's thread: 1 to 10 ms for a script, up to 40 for a map, 24 times at
/// most in a server's life. [`ClientFiles::compressed`] does it beforehand.
///
/// ```no_run
/// use throng::{ClientFiles, Server};
///
/// let files = ClientFiles::open("node_modules/socket.io-client/dist")?;
/// let server = Server::builder().client_files(files).bind("127.0.0.1:3000")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct ClientFiles {
    shared: Rc<Shared>,
}

struct Shared {
    /// With its quotes.
    etag: String,
    files: Vec<ClientFile>,
}

/// One file, and what has been made of it.
struct ClientFile {
    name: &'static str,
    bytes: Arc<[u8]>,
    coded: [OnceCell<Option<Arc<[u8]>>>; CODINGS.len()],
}

/// What npm writes beside the folder.
#[derive(Deserialize)]
struct Package {
    version: String,
}

impl ClientFiles {
    /// Reads the files of a folder. Their version, which becomes the `ETag`, is the one in
    /// `package.json` beside the folder, or else in the banner of one of the files.
    ///
    /// Those of the eight that aren't there aren't served. Errors are those of reading; `NotFound`
    /// where there is none of them; `InvalidData` where one is larger than 4 MiB, or no version is
    /// to be found.
    pub fn open(folder: impl AsRef<Path>) -> io::Result<Self> {
        let folder = folder.as_ref();
        let files = read_all(folder)?;
        let version = version_beside(folder).or_else(|| files.iter().find_map(ClientFile::version));
        let version =
            version.ok_or_else(|| invalid("the client's files don't say their version"))?;
        Self::new(files, &version)
    }

    /// As [`ClientFiles::open`], with a version of the host's, of up to 64 visible ASCII characters
    /// without quotes; `InvalidData` otherwise.
    pub fn open_as(folder: impl AsRef<Path>, version: &str) -> io::Result<Self> {
        Self::new(read_all(folder.as_ref())?, version)
    }

    /// Codes every file now, so that no request has to wait for it: about 0.3 s, and two thirds
    /// of the files' memory (1.2 MB) once more.
    #[must_use]
    pub fn compressed(self) -> Self {
        for file in &self.shared.files {
            for coding in CODINGS {
                file.coded(coding);
            }
        }
        self
    }

    /// The version that clients are told as `ETag`.
    pub fn version(&self) -> &str {
        self.shared.etag.trim_matches('"')
    }

    fn new(files: Vec<ClientFile>, version: &str) -> io::Result<Self> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
        if version.is_empty() || version.len() > VERSION_BYTES_MAX || !version.bytes().all(is_plain)
        {
            return Err(invalid("the version of the client's files can't be told to clients"));
        }
        Ok(Self { shared: Rc::new(Shared { etag: format!("\"{version}\""), files }) })
    }

    /// The name of a file, if it is served.
    pub(crate) fn name(&self, name: &str) -> Option<&'static str> {
        self.find(name).map(|file| file.name)
    }

    /// The answer to a request for a file.
    pub(crate) fn respond(&self, name: &str, request: &Request) -> Response {
        let Some(file) = self.find(name) else { return Response::new(404) };
        let etag = self.shared.etag.as_str();
        let response = |status| {
            let response = Response::new(status);
            response.header("Cache-Control", "public, max-age=0").header("ETag", etag)
        };
        if let Some(known) = request.header("if-none-match")
            && known.strip_prefix("W/").unwrap_or(known) == etag
        {
            return response(304);
        }
        let coding = ContentCoding::negotiate(request, &CODINGS);
        let coded = file.coded(coding);
        let response = response(200)
            .bytes(file.content_type(), Arc::clone(coded.unwrap_or(&file.bytes)))
            .header("Vary", "Accept-Encoding");
        match coded {
            Some(_) => response.header("Content-Encoding", coding.name()),
            None => response,
        }
    }

    fn find(&self, name: &str) -> Option<&ClientFile> {
        self.shared.files.iter().find(|file| file.name == name)
    }
}

impl ClientFile {
    fn content_type(&self) -> &'static str {
        if self.name.strip_suffix(".map").is_some() {
            "application/json; charset=utf-8"
        } else {
            "application/javascript; charset=utf-8"
        }
    }

    /// The file coded, now or before; `None` where it stays as it is.
    fn coded(&self, coding: ContentCoding) -> Option<&Arc<[u8]>> {
        let place = CODINGS.iter().position(|other| *other == coding)?;
        let coded = self.coded.get(place)?;
        coded.get_or_init(|| coding.encode(&self.bytes).map(Arc::from)).as_ref()
    }

    /// ` * Socket.IO v4.8.3`
    fn version(&self) -> Option<String> {
        let start = self.bytes.get(..BANNER_BYTES).unwrap_or(&self.bytes);
        let start = String::from_utf8_lossy(start);
        let (_, version) = start.split_once("Socket.IO v")?;
        version.split_whitespace().next().map(str::to_owned)
    }
}

fn read_all(folder: &Path) -> io::Result<Vec<ClientFile>> {
    let mut files = Vec::new();
    for name in NAMES {
        let file = match File::open(folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(invalid("a file of the client is larger than 4 MiB"));
        }
        files.push(ClientFile { name, bytes: Arc::from(bytes), coded: Default::default() });
    }
    if files.is_empty() {
        let message = format!("no file of the client in {}", folder.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    Ok(files)
}

fn version_beside(folder: &Path) -> Option<String> {
    let package = std::fs::read(folder.canonicalize().ok()?.parent()?.join("package.json")).ok()?;
    serde_json::from_slice(&package).ok().map(|package: Package| package.version)
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

impl fmt::Debug for ClientFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.shared.files.iter().map(|file| file.name).collect();
        f.debug_struct("ClientFiles")
            .field("version", &self.version())
            .field("files", &names)
            .finish()
    }
}

const NAMES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];
const CODINGS: [ContentCoding; 3] =
    [ContentCoding::Brotli, ContentCoding::Gzip, ContentCoding::Deflate];
/// The largest of them is a map of some 400 KB.
const FILE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;
const VERSION_BYTES_MAX: usize = 64;
/// The banner stands at the very beginning.
const BANNER_BYTES: usize = 256;
