//! `throng doctor` as a user runs it: every section is there, and it fits the screen.
//!
//! What it finds depends on the machine, so its verdict is not judged, only that it has one.
//!
//! ```text
//! $ throng doctor --duration 100ms
//! ```

#![cfg(feature = "cli")]

use std::process::{Command, Output};

fn doctor(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.arg("doctor").args(arguments).output().unwrap()
}

#[test]
fn every_section_is_printed_and_fits() {
    let output = doctor(&["--duration", "100ms", "--clients", "100"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for section in ["Connections", "Machine", "Load right now", "Measured"] {
        assert!(text.contains(&format!("\n\n{section}\n  ")), "{section} is missing:\n{text}");
    }
    for check in ["open files", "cores", "other load", "waits to run", "timers of 1 ms"] {
        assert!(text.contains(&format!("  {check} ")), "{check} is missing:\n{text}");
    }
    assert!(text.contains("100 clients"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains('\u{1b}'), "colours without a terminal:\n{text}");
    let spoils = text.contains("\n  SPOILS ");
    assert_eq!(output.status.code(), Some(i32::from(spoils)), "{text}");
    assert!(output.stderr.is_empty());
}

#[test]
fn what_cannot_be_carried_fails() {
    let output = doctor(&["--duration", "1ms", "--clients", "4000000000"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("\n  SPOILS  memory "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn json_has_the_fingerprint_and_each_check() {
    let output = doctor(&["--duration", "1ms", "--json", "-"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["schema"], "throng-doctor/1");
    assert!(found["fingerprint"]["kernel"].as_str().unwrap().starts_with("Linux"));
    assert!(found["stalls"]["readings"].as_u64().unwrap() > 0);
    assert_eq!(found["wakes"]["count"], 500);
    let check = &found["checks"][0];
    assert_eq!(
        (check["name"].as_str(), check["section"].as_str()),
        (Some("open files"), Some("connections"),)
    );
    assert!(["good", "worth-knowing", "will-spoil"].contains(&check["verdict"].as_str().unwrap()));
}

#[test]
fn a_processor_that_is_not_there_is_said_plainly() {
    let output = doctor(&["--duration", "1ms", "--pin", "99999"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    let expected = "throng: can't run on processor 99999: it is not there, or not allowed to this \
                    process\n";
    assert_eq!(text, expected);
}
