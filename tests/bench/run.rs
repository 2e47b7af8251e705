//! One run of the built program, and its report read as any other reader would: as JSON, its
//! histograms decoded by the HDR library.
//!
//! ```text
//! let outcome = Bench::new("broadcast", &server.url()).args("--clients 20 --rate 50").run();
//! ```

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;

use crate::seats::{Seats, Taken};

/// A command line to be.
pub(crate) struct Bench {
    command: Command,
    seats: usize,
}

/// A run under way.
pub(crate) struct Running {
    child: Child,
    _seats: Taken,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) report: Value,
    /// Of the rounds before the last.
    pub(crate) earlier: Vec<Value>,
}

impl Bench {
    pub(crate) fn new(scenario: &str, url: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.args(["bench", scenario, url, "--json", "-", "--quiet"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, seats: 1 }
    }

    /// Times of it are held against those of a machine that does nothing else.
    pub(crate) fn alone(mut self) -> Self {
        self.seats = SEATS;
        self
    }

    /// Further arguments, with spaces between them.
    pub(crate) fn args(mut self, arguments: &str) -> Self {
        self.command.args(arguments.split_whitespace());
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let seats = RUNS.take(self.seats);
        Running { child: self.command.spawn().unwrap(), _seats: seats }
    }

    pub(crate) fn run(self) -> Outcome {
        self.start().wait()
    }
}

impl Running {
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Waits for its end, and ends it where it takes too long.
    pub(crate) fn wait(mut self) -> Outcome {
        let (tell, told) = channel();
        let mut output = self.child.stdout.take().unwrap();
        let errors = BufReader::new(self.child.stderr.take().unwrap());
        std::thread::spawn(move || {
            let mut json = String::new();
            let read = output.read_to_string(&mut json);
            let _ = tell.send(read.map(|_| json));
        });
        let saying = std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).collect::<Vec<_>>().join("\n")
        });
        let json = told.recv_timeout(RUN_TIME_MAX);
        if json.is_err() {
            self.child.kill().unwrap();
        }
        let code = self.child.wait().unwrap().code();
        let said = saying.join().unwrap();
        let json = json.unwrap_or_else(|_| panic!("it didn't end; it said: {said}")).unwrap();
        let results: Result<Vec<Value>, _> = json.lines().map(serde_json::from_str).collect();
        let mut earlier =
            results.unwrap_or_else(|error| panic!("{error}; exit code {code:?}; it said: {said}"));
        let report = earlier
            .pop()
            .unwrap_or_else(|| panic!("no result; exit code {code:?}; it said: {said}"));
        Outcome { code, report, earlier }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that ended already is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// A number of the report by its path, such as `/traffic/missing`.
    pub(crate) fn number(&self, path: &str) -> u64 {
        let value = self.report.pointer(path).unwrap_or_else(|| panic!("no {path}"));
        value.as_u64().unwrap_or_else(|| panic!("{path} is {value}"))
    }

    pub(crate) fn decimal(&self, path: &str) -> f64 {
        let value = self.report.pointer(path).unwrap_or_else(|| panic!("no {path}"));
        value.as_f64().unwrap_or_else(|| panic!("{path} is {value}"))
    }

    /// Missing, duplicated, reordered, corrupted and stray.
    pub(crate) fn faults(&self) -> [u64; 5] {
        ["missing", "duplicated", "reordered", "corrupted", "stray"]
            .map(|name| self.number(&format!("/traffic/{name}")))
    }

    pub(crate) fn reasons(&self) -> String {
        self.texts("/verdict/reasons")
    }

    pub(crate) fn warnings(&self) -> String {
        self.texts("/verdict/warnings")
    }

    fn texts(&self, path: &str) -> String {
        let values = self.report.pointer(path).and_then(Value::as_array).unwrap();
        values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
    }

    /// Nothing was wrong with the server or the traffic. That the machine was busy while the tests
    /// ran, and the run invalid for that alone, is none of the server's faults.
    pub(crate) fn expect_valid(&self) {
        assert_eq!(self.faults(), [0; 5], "{}", self.reasons());
        let path = ["/traffic/unsent", "/connections/failed", "/connections/lost"];
        assert_eq!(path.map(|path| self.number(path)), [0; 3], "{}", self.reasons());
        let is_valid = self.report.pointer("/verdict/valid") == Some(&Value::Bool(true));
        assert_eq!(is_valid, self.reasons().is_empty());
        assert_eq!(is_valid, self.code == Some(0), "{:?}: {}", self.code, self.reasons());
        assert!(is_valid || self.is_busy(), "{}", self.reasons());
    }

    /// The run is invalid, says so in the exit code, and gives a reason with this word.
    pub(crate) fn expect_invalid(&self, word: &str) {
        assert_eq!(self.report.pointer("/verdict/valid"), Some(&Value::Bool(false)));
        assert!(self.reasons().contains(word), "{word} is not in: {}", self.reasons());
        assert!(self.code.is_some_and(|code| code != 0), "{:?}", self.code);
    }

    fn is_busy(&self) -> bool {
        let reasons = self.report.pointer("/verdict/reasons").and_then(Value::as_array).unwrap();
        reasons.iter().filter_map(Value::as_str).all(|reason| reason.contains("generator was"))
    }

    fn latency(&self, measure: &str) -> Option<&Value> {
        of_measure(&self.report["latencies"], measure)
    }

    /// What a result tells of one transport of a mix.
    pub(crate) fn over(&self, transport: &str) -> &Value {
        let all = self.report["transports"].as_array().unwrap();
        let found = all.iter().find(|over| over["transport"] == transport);
        found.unwrap_or_else(|| panic!("{transport} isn't told"))
    }

    /// The samples of a measure in ascending order, each as exact as its histogram is.
    pub(crate) fn samples(&self, measure: &str) -> Vec<u64> {
        samples(self.latency(measure).unwrap_or_else(|| panic!("{measure} isn't told")))
    }

    /// The same of one transport of a mix.
    pub(crate) fn samples_over(&self, transport: &str, measure: &str) -> Vec<u64> {
        let latency = of_measure(&self.over(transport)["latencies"], measure);
        samples(latency.unwrap_or_else(|| panic!("{measure} over {transport} isn't told")))
    }

    /// A percentile that is told, such as `p99.9`.
    pub(crate) fn percentile(&self, measure: &str, name: &str) -> Option<u64> {
        self.latency(measure).unwrap()["percentiles_ns"][name].as_u64()
    }
}

fn of_measure<'a>(latencies: &'a Value, measure: &str) -> Option<&'a Value> {
    latencies.as_array().unwrap().iter().find(|latency| latency["measure"] == measure)
}

fn samples(latency: &Value) -> Vec<u64> {
    let text = latency["histogram"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
    let mut samples = Vec::new();
    for bucket in histogram.iter_recorded() {
        let count = usize::try_from(bucket.count_since_last_iteration()).unwrap();
        samples.extend(std::iter::repeat_n(bucket.value_iterated_to(), count));
    }
    assert_eq!(samples.len() as u64, latency["count"].as_u64().unwrap());
    samples
}

/// Holds told samples against the times at which things really happened: sorted, each lies at
/// least where the truth begins, and not far from where it ends.
pub(crate) fn assert_between(told: &[u64], (least, most): &(Vec<u64>, Vec<u64>)) {
    assert_at_least(told, least);
    for (index, (told, most)) in told.iter().zip(most).enumerate() {
        // A sample is told as the greatest value of its bucket.
        let most = most + most / 1_000 + 1_024 + NOISE_NS;
        assert!(*told <= most, "sample {index}: {told} ns told, at most {most} ns true");
    }
    let usual = told[told.len() / 2].saturating_sub(most[told.len() / 2]);
    assert!(usual <= NOISE_NS / 20, "most samples are {usual} ns too high");
}

/// Holds told samples against the least that they can have been.
pub(crate) fn assert_at_least(told: &[u64], least: &[u64]) {
    assert_eq!(told.len(), least.len(), "as many samples as deliveries");
    for (index, (told, least)) in told.iter().zip(least).enumerate() {
        assert!(told >= least, "sample {index}: {told} ns told, at least {least} ns true");
    }
}

/// Tries all cases at once.
pub(crate) fn side_by_side<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    let check = &check;
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || check(case));
        }
    });
}

/// How many samples are at least so high.
pub(crate) fn count_from(samples: &[u64], nanoseconds: u64) -> usize {
    samples.len() - samples.partition_point(|sample| *sample < nanoseconds)
}

static RUNS: Seats = Seats::new(SEATS);
/// Runs that two cores carry at a time: most of each is waiting.
const SEATS: usize = 8;
const RUN_TIME_MAX: Duration = Duration::from_secs(60);
/// What a busy machine may add between the write of a server and the kernel's receipt.
const NOISE_NS: u64 = 200_000_000;
