//! Bytes and long texts, made and counted.
//!
//! ```text
//! > 42["blob",8]
//! < 452-["blob",{"n":8,"data":{"_placeholder":true,"num":0},"nested":[...]}] and two attachments
//! ```

use serde::Serialize;
use throng::{Args, BinarySlice, Namespace, Socket};

#[derive(Serialize)]
struct Blob<'a> {
    n: usize,
    data: BinarySlice<'a>,
    nested: [Nested<'a>; 1],
}

#[derive(Serialize)]
struct Nested<'a> {
    head: BinarySlice<'a>,
}

/// What `digest` answers about all bytes in its arguments.
#[derive(Default, Serialize)]
struct Digest {
    count: usize,
    bytes: usize,
    sum: u16,
}

pub(crate) fn declare(namespace: Namespace<'_>) {
    namespace
        .on("blob", emit_blob)
        .on_raw("digest", |_, args, ack| {
            if let Some(ack) = ack {
                ack.send(&digest(args));
            }
        })
        .on("text", |socket, n: usize| {
            if n <= CHARACTERS_MAX {
                socket.emit("text", &"é".repeat(n));
            }
        });
}

fn emit_blob(socket: Socket<'_>, n: usize) {
    if n > BYTES_MAX {
        return;
    }
    // The bytes repeat after 256, since there are no more values of `i` modulo 256.
    let period = (0..=u8::MAX).map(|i| i.wrapping_mul(7).wrapping_add(3));
    let data: Vec<u8> = period.cycle().take(n).collect();
    let head = BinarySlice(data.get(..4).unwrap_or(&data));
    socket.emit("blob", &Blob { n, data: BinarySlice(&data), nested: [Nested { head }] });
}

fn digest(args: Args<'_>) -> Digest {
    let mut digest = Digest::default();
    for attachment in args.attachments() {
        digest.count += 1;
        digest.bytes += attachment.len();
        digest.sum = attachment.iter().fold(digest.sum, |sum, &byte| sum.wrapping_add(byte.into()));
    }
    digest
}

const BYTES_MAX: usize = 16 * 1_024 * 1_024;
const CHARACTERS_MAX: usize = 8 * 1_024 * 1_024;
