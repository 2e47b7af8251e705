//! Small files of the kernel, read whole: `/proc` and `/sys`, or what a test recorded of them.
//!
//! A file that isn't there or may not be read is `None`: no two machines have the same ones.
//!
//! ```text
//! /proc/sys/net/core/somaxconn: 4096
//! ```

use std::fs;
use std::str::FromStr;

/// Where files come from.
pub(super) trait Files {
    /// Without the white space around it.
    fn read(&self, path: &str) -> Option<String>;

    /// Names in a folder, sorted; none where there is no such folder.
    fn list(&self, folder: &str) -> Vec<String>;

    /// The first word of a file.
    fn number<N: FromStr>(&self, path: &str) -> Option<N>
    where
        Self: Sized,
    {
        self.read(path)?.split_whitespace().next()?.parse().ok()
    }
}

/// This machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct System;

impl Files for System {
    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

/// What a test recorded.
#[cfg(test)]
pub(super) struct Recorded(pub(super) &'static [(&'static str, &'static str)]);

#[cfg(test)]
impl Files for Recorded {
    fn read(&self, path: &str) -> Option<String> {
        let found = self.0.iter().find(|(one, _)| *one == path);
        found.map(|(_, text)| text.trim().to_owned())
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let inside = self.0.iter().filter_map(|(path, _)| path.strip_prefix(folder));
        let names = inside.filter_map(|rest| rest.strip_prefix('/')?.split('/').next());
        let mut names: Vec<_> = names.map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_none() {
        assert_eq!(System.read("/proc/no such file"), None);
        assert_eq!(System.list("/proc/no such folder"), [""; 0]);
        assert!(System.read("/proc/version").unwrap().starts_with("Linux"));
        assert!(System.list("/proc/self").contains(&"stat".to_owned()));
    }

    #[test]
    fn a_number_is_the_first_word() {
        let files = Recorded(&[("/one", "32768\t60999\n"), ("/two", "max 100000\n")]);
        assert_eq!(files.number::<u64>("/one"), Some(32_768));
        assert_eq!(files.number::<u64>("/two"), None);
        assert_eq!(files.list(""), ["one", "two"]);
    }
}
