//! A folder of static files.
//!
//! `GET /static/app.js` with `If-None-Match: W/"5-17f"` is answered by the file or by 304. It is
//! meant for the page of an example or a dashboard, not for a site: files are read whole, at once,
//! on the thread that asked, within a bound. Nothing outside the folder is ever sent.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::method::Method;
use super::request::Request;
use super::response::Response;
use super::status::Status;

/// A folder whose files are sent to whoever asks.
///
/// ```no_run
/// use throng::http::{Folder, Request, Response};
///
/// // Under a route like `/static/{*path}`.
/// fn serve(folder: &Folder, request: &Request) -> Response {
///     folder.respond(request.param("path").unwrap_or(""), request)
/// }
///
/// let folder = Folder::new("public").file_bytes_max(1 << 20);
/// ```
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    file_bytes_max: usize,
}

impl Folder {
    /// The folder at a path, which is looked up at each request: it may appear, or be replaced,
    /// while the server runs. Files of up to 16 MiB are sent.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), file_bytes_max: FILE_BYTES_MAX }
    }

    /// Sets the size of the largest file that is sent; a larger one is answered with 500.
    #[must_use]
    pub fn file_bytes_max(mut self, bytes: usize) -> Self {
        self.file_bytes_max = bytes;
        self
    }

    /// Answers a request with a file.
    ///
    /// The path is relative to the folder, has slashes between its names and is decoded already,
    /// as [`Request::param`] returns it. A directory is answered with its `index.html`; relative
    /// links in that page need the address to end in a slash. What isn't there, can't be opened,
    /// lies outside of the folder (behind `..`, a backslash, an absolute path or a symbolic link),
    /// has a colon or a control character in its name, or a dot in front of it, is 404; a method
    /// other than `GET` and `HEAD` is 405.
    ///
    /// The tag of a file is made of its size and the time it was changed, and is weak: two
    /// changes within one tick of the file system's clock aren't told apart. `If-None-Match` and
    /// `If-Modified-Since` are heeded (RFC 9110, section 13), ranges aren't.
    ///
    /// Blocks while the file is read.
    pub fn respond(&self, relative_path: &str, request: &Request) -> Response {
        if !matches!(request.method(), Method::Get | Method::Head) {
            return Response::from(Status::METHOD_NOT_ALLOWED).header("Allow", "GET, HEAD");
        }
        let Ok(path) = self.locate(relative_path) else {
            return Response::from(Status::NOT_FOUND);
        };
        match self.read(&path, request) {
            Ok(response) => response,
            Err(error) if is_absence(&error) => Response::from(Status::NOT_FOUND),
            Err(_) => Response::from(Status::INTERNAL_SERVER_ERROR),
        }
    }

    fn read(&self, path: &Path, request: &Request) -> io::Result<Response> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let validators = Validators::of(&metadata);
        if validators.match_conditions_of(request) {
            return Ok(validators.write(Response::from(Status::NOT_MODIFIED)));
        }
        let Some(bytes) = read_within(file, metadata.len(), self.file_bytes_max)? else {
            let text = "The file is larger than this server is set to send.";
            return Ok(Response::from(Status::INTERNAL_SERVER_ERROR).text(text));
        };
        let response = Response::ok().header("X-Content-Type-Options", "nosniff");
        Ok(validators.write(response).bytes(&content_type(path), bytes))
    }

    /// The real path of a regular file within the folder.
    ///
    /// The names are checked first, so that most attacks touch no file; the real path is checked
    /// after, because a name alone doesn't tell where a symbolic link leads.
    fn locate(&self, relative_path: &str) -> io::Result<PathBuf> {
        let not_found = || io::Error::from(io::ErrorKind::NotFound);
        let names = relative_path.strip_suffix('/');
        let root = self.root.canonicalize()?;
        let mut path = root.clone();
        if !relative_path.is_empty() {
            for name in names.unwrap_or(relative_path).split('/') {
                path.push(plain_name(name).ok_or_else(not_found)?);
            }
        }
        path = resolve_within(&root, &path)?;
        if path.is_dir() {
            path = resolve_within(&root, &path.join("index.html"))?;
        } else if names.is_some() {
            return Err(not_found());
        }
        // Opening a pipe would wait for its writer.
        if fs::metadata(&path)?.is_file() { Ok(path) } else { Err(not_found()) }
    }
}

/// What tells one state of a file from another.
#[derive(Debug)]
struct Validators {
    etag: String,
    /// In whole seconds, as the header has them; `None` if no header can say it.
    modified: Option<SystemTime>,
}

impl Validators {
    fn of(metadata: &Metadata) -> Self {
        let since_epoch =
            metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let nanoseconds = since_epoch.map_or(0, |time| time.as_nanos());
        let modified = since_epoch
            .map(|time| time.as_secs())
            .filter(|seconds| *seconds < YEAR_10000_SECONDS)
            .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        Self { etag: format!("W/\"{:x}-{nanoseconds:x}\"", metadata.len()), modified }
    }

    /// Whether the client has this state already. Tags decide alone if there are any.
    fn match_conditions_of(&self, request: &Request) -> bool {
        let mut tags = request.header_values("if-none-match").peekable();
        if tags.peek().is_some() {
            return tags.any(|list| self.is_in(list));
        }
        let since = request.header("if-modified-since");
        match (self.modified, since.and_then(|date| httpdate::parse_http_date(date).ok())) {
            (Some(modified), Some(since)) => modified <= since,
            _ => false,
        }
    }

    /// The weak comparison of RFC 9110, section 8.8.3.2. Our tags hold no comma.
    fn is_in(&self, list: &str) -> bool {
        let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag) == self.opaque_tag();
        list.trim() == "*" || list.split(',').any(|tag| opaque(tag.trim()))
    }

    fn opaque_tag(&self) -> &str {
        self.etag.strip_prefix("W/").unwrap_or(&self.etag)
    }

    fn write(&self, response: Response) -> Response {
        let response = response.header("ETag", &self.etag);
        match self.modified {
            Some(modified) => response.header("Last-Modified", httpdate::fmt_http_date(modified)),
            None => response,
        }
    }
}

/// A name that stands for itself on every system: no parent, no drive, no hidden file.
fn plain_name(name: &str) -> Option<&str> {
    let unsafe_character =
        |character| matches!(character, '\\' | ':') || char::is_control(character);
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(unsafe_character);
    plain.then_some(name)
}

/// Where a path leads once every symbolic link is followed, if that is within the root.
fn resolve_within(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let resolved = path.canonicalize()?;
    if resolved.starts_with(root) { Ok(resolved) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// The whole file, or `None` if it is larger than allowed. The size is checked again while
/// reading: the file may grow.
fn read_within(file: File, size: u64, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let size_bytes = usize::try_from(size).unwrap_or(usize::MAX);
    if size_bytes > bytes_max {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(size_bytes);
    file.take((bytes_max as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= bytes_max).then_some(bytes))
}

/// The type by the file's extension. Text of ours is UTF-8; a browser would guess otherwise.
fn content_type(path: &Path) -> String {
    let guess = mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream");
    let is_text = guess.starts_with("text/") || guess == "application/javascript";
    if is_text { format!("{guess}; charset=utf-8") } else { guess.to_owned() }
}

/// Errors that mean "not here" to a client, who needn't learn which of them it was.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

const FILE_BYTES_MAX: usize = 16 << 20;

/// The first second that the four digits of a header's year can't say.
const YEAR_10000_SECONDS: u64 = 253_402_300_800;

#[cfg(test)]
mod tests;
