//! What the command line says: `--app smoke --port 3000`.

/// Which app to run, and where.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) app: String,
    pub(crate) port: u16,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut app, mut port) = (None, PORT);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--app" => app = Some(value),
                "--port" => {
                    port = value.parse().map_err(|_| format!("{value:?} is no port"))?;
                }
                _ => return Err(format!("there is no option {name}")),
            }
        }
        Ok(Self { app: app.ok_or("--app is missing")?, port })
    }
}

const PORT: u16 = 3000;
