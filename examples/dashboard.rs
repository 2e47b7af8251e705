//! A terminal that owns the loop and shows what its server does: who is connected, messages in and
//! out per second, bytes that wait, and the last minute as a sparkline. `q` closes the server.
//!
//! ```text
//! cargo run --example dashboard -- 127.0.0.1:3000
//! cargo run --example dashboard -- 127.0.0.1:0 10 --headless
//! ```
//!
//! With `--headless`, or where the output is no terminal, it draws the same picture once a second
//! into memory, and prints it as text.

use std::collections::VecDeque;
use std::error::Error;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use ratatui::backend::{Backend, TestBackend};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind};
use ratatui::layout::{Constraint, Layout};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Sparkline};
use ratatui::{Frame, Terminal};
use throng::Server;

/// What was counted up to one moment.
#[derive(Clone, Copy, Default)]
struct Sample {
    events: u64,
    deliveries: u64,
}

/// What the screen shows.
#[derive(Default)]
struct Dashboard {
    address: String,
    sessions: usize,
    sockets: usize,
    queued_bytes: usize,
    last: Sample,
    /// Events in and deliveries out, a second each, the last at the end.
    rates: VecDeque<(u64, u64)>,
}

/// How many seconds the sparkline has.
const SECONDS_SHOWN: usize = 60;
/// How long a key may wait.
const KEYS_EVERY: Duration = Duration::from_millis(50);

fn main() -> Result<(), Box<dyn Error>> {
    let (flags, words): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let address = words.first().map_or("127.0.0.1:3000", |address| address.as_str());
    let mut server = Server::builder().bind(address)?;
    if let Some(seconds) = words.get(1) {
        server.io().after(Duration::from_secs(seconds.parse()?), |io| io.close());
    }
    server.of("/").on_raw("chat", |socket, args, _| {
        socket.server().emit("chat", args);
    });
    let address = format!("http://{}", server.local_addresses()[0]);
    println!("listening on {address}");
    let dashboard = Dashboard { address, ..Dashboard::default() };
    if flags.iter().any(|flag| flag == "--headless") || !std::io::stdout().is_terminal() {
        let mut terminal = Terminal::new(TestBackend::new(60, 12))?;
        return run(&mut server, dashboard, |dashboard| {
            terminal.draw(|frame| dashboard.draw(frame))?;
            let (width, cells) = (60, terminal.backend().buffer().content());
            for row in cells.chunks(width) {
                println!("{}", row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end());
            }
            Ok(())
        });
    }
    let mut terminal = ratatui::init();
    let ended = run(&mut server, dashboard, |dashboard| show(&mut terminal, dashboard));
    ratatui::restore();
    ended
}

fn show<B: Backend>(terminal: &mut Terminal<B>, dashboard: &Dashboard) -> Result<(), Box<dyn Error>>
where
    B::Error: 'static,
{
    terminal.draw(|frame| dashboard.draw(frame))?;
    Ok(())
}

/// The loop, which is the terminal's: the server gets what is left of each second.
fn run(
    server: &mut Server,
    mut dashboard: Dashboard,
    mut show: impl FnMut(&Dashboard) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let has_keys = std::io::stdin().is_terminal();
    let mut next = Instant::now();
    while !server.is_closed() {
        if Instant::now() >= next {
            next += Duration::from_secs(1);
            dashboard.sample(server);
            show(&dashboard)?;
        }
        let left = next.saturating_duration_since(Instant::now());
        server.poll(Some(if has_keys { left.min(KEYS_EVERY) } else { left }))?;
        while has_keys && event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()?
                && (key.kind, key.code) == (KeyEventKind::Press, KeyCode::Char('q'))
            {
                server.close();
            }
        }
    }
    Ok(())
}

impl Dashboard {
    fn sample(&mut self, server: &Server) {
        let (io, counted) = (server.io(), server.io().socket_counters());
        (self.sessions, self.sockets) = (io.sessions_len(), io.sockets_len());
        self.queued_bytes = io.queued_bytes();
        let Sample { events, deliveries } = self.last;
        self.rates.push_back((counted.events - events, counted.deliveries - deliveries));
        self.last = Sample { events: counted.events, deliveries: counted.deliveries };
        if self.rates.len() > SECONDS_SHOWN {
            self.rates.pop_front();
        }
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let rows = Layout::vertical([Constraint::Length(7), Constraint::Min(3)]);
        let [numbers, history] = rows.areas(frame.area());
        let (events, deliveries) = self.rates.back().copied().unwrap_or_default();
        let lines = vec![
            Line::from(format!("sessions     {}", self.sessions)),
            Line::from(format!("sockets      {}", self.sockets)),
            Line::from(format!("in           {events}/s")),
            Line::from(format!("out          {deliveries}/s")),
            Line::from(format!("queued       {} bytes", self.queued_bytes)),
        ];
        let title = format!(" {} (q closes it) ", self.address);
        frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(title)), numbers);
        let out: Vec<u64> = self.rates.iter().map(|(_, deliveries)| *deliveries).collect();
        let block = Block::bordered().title(" out, the last minute ");
        frame.render_widget(Sparkline::default().data(&out).block(block), history);
    }
}
